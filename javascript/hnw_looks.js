// Has the server judge what is entered: soon after the last change, one request of a form at a time. What is entered
// while one is not answered is judged after it, so that the last answer is always about the last entry.

(() => {
    const PAUSE_MS = 250; // somebody who types goes on within it
    const LOST_MS = 20000; // an answer that takes longer does not come any more
    const forms = {};

    function press(id) {
        const form = forms[id];
        if (Date.now() - form.asked < LOST_MS) {
            form.isChanged = true;
            return;
        }
        form.isChanged = false;
        form.asked = Date.now();
        gradioApp().querySelector(`#${id}_look`).click();
    }

    window.hnwLookSoon = (id) => {
        const form = (forms[id] ??= {asked: 0});
        clearTimeout(form.timer);
        form.timer = setTimeout(() => press(id), PAUSE_MS);
        return [];
    };

    window.hnwLooked = (id) => {
        const form = forms[id];
        if (!form) return [];
        form.asked = 0;
        if (form.isChanged) window.hnwLookSoon(id);
        return [];
    };

    // gradio tells of no number that is emptied, nor of every text that comes in one piece.
    for (const kind of ["input", "change", "compositionend"]) {
        document.addEventListener(kind, (event) => {
            const id = event.target.closest?.(".hnw-form")?.id.replace(/_fields$/, "");
            if (id && event.target.closest(".block") && gradioApp().querySelector(`#${id}_look`)) window.hnwLookSoon(id);
        }, true);
    }
})();
