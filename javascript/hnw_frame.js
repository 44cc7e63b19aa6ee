// The host's Train tab shows a wide column for the results of its own tabs. While one of our tabs is open there, that
// column is folded away and ours takes the width; on leaving, all is as it was.

(() => {
    function follow(tabs) {
        const panes = Array.from(tabs.children).filter((one) => one.classList.contains("tabitem"));
        const ours = panes.filter((one) => /^hnw_\w+_tab$/.test(one.id));
        if (!ours.length) return; // they stand elsewhere
        const look = () => {
            const isOurs = ours.some((one) => one.style.display !== "none");
            if (tabs.id === "train_tabs") tabs.parentElement.classList.toggle("hnw-wide", isOurs);
            tabs.closest(".gradio-container").classList.toggle("hnw-open", isOurs);
        };
        const observer = new MutationObserver(look);
        for (const pane of ours) observer.observe(pane, {attributes: true, attributeFilter: ["style"]});
        look();
    }

    // The panel beside a form sticks, and is as high as there is room for it on the screen: down to the end of a long
    // form, or else so that the page need not be scrolled for it.
    function fit(panel) {
        const frame = panel.closest(".hnw-frame");
        if (!frame.offsetParent) return;
        const {top, bottom} = frame.getBoundingClientRect();
        const below = document.documentElement.scrollHeight - window.scrollY - bottom;
        const form = frame.querySelector(".hnw-form").getBoundingClientRect();
        const end = Math.min(window.innerHeight, Math.max(form.bottom, window.innerHeight - below));
        panel.style.setProperty("--hnw-room", `${Math.floor(end - Math.max(top, 0))}px`);
    }

    // What the page goes to is not covered by the buttons that stay above it. Answers that scroll there take the focus,
    // for those who scroll with keys.
    function measure(controls) {
        controls.closest(".hnw-frame").style.setProperty("--hnw-head", `${controls.offsetHeight}px`);
        for (const answer of controls.querySelectorAll(":scope > [id$=_status], #hnw_train_continues .prose")) {
            if (answer.scrollHeight > answer.clientHeight) answer.tabIndex = 0;
            else answer.removeAttribute("tabindex");
        }
    }

    let isAsked = false;
    function fitSoon() {
        if (isAsked) return;
        isAsked = true;
        requestAnimationFrame(() => {
            isAsked = false;
            gradioApp().querySelectorAll(".hnw-sticky").forEach(fit);
        });
    }

    onUiLoaded(() => {
        gradioApp().querySelectorAll("#train_tabs, #hnw_tabs").forEach(follow);
        for (const event of ["scroll", "resize"]) window.addEventListener(event, fitSoon, {passive: true});
        const observer = new ResizeObserver(fitSoon);
        gradioApp().querySelectorAll(".hnw-frame").forEach((frame) => observer.observe(frame));
        const heads = new ResizeObserver((entries) => entries.forEach(({target}) => measure(target)));
        gradioApp().querySelectorAll(".hnw-controls").forEach((controls) => heads.observe(controls));
    });
})();
