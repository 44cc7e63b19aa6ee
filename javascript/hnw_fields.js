// What is wrong with a field is said once somebody has been there: a form that was just opened accuses nobody. What an
// entry makes wrong elsewhere is said at once, and a button of the panel looks at all fields.

(() => {
    const isWrong = (field) => field.querySelector(":scope > .hnw-problem .prose")?.textContent.trim();

    function touch(target) {
        const form = target.closest?.(".hnw-form");
        if (!form) return;
        if (form.dataset.touched === undefined) {
            for (const field of form.querySelectorAll(".hnw-field")) if (isWrong(field)) field.dataset.early = "";
            form.closest(".hnw-frame").dataset.touched = form.dataset.touched = "";
        }
        const field = target.closest(".hnw-field");
        if (field) delete field.dataset.early;
    }

    function touchAll(target) {
        const button = target.closest?.(".hnw-panel button");
        if (!button?.offsetParent) return; // one out of sight is pressed by a script
        const form = button.closest(".hnw-frame").querySelector(".hnw-form");
        form.closest(".hnw-frame").dataset.touched = form.dataset.touched = "";
        for (const field of form.querySelectorAll(".hnw-field")) delete field.dataset.early;
    }

    for (const kind of ["input", "change", "focusout"]) {
        document.addEventListener(kind, (event) => touch(event.target), true);
    }
    document.addEventListener("click", (event) => touchAll(event.target), true);
})();
