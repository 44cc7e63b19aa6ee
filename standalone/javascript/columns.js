// Rows of two columns with a handle between them, as in the WebUI: drag it to divide the width anew, press twice to undo.

(() => {
    const HANDLE_PX = 16;
    const LEAST_PX = 320;
    const EVEN = `1fr ${HANDLE_PX}px 1fr`;

    // On a narrow page the columns stand one above the other.
    function fit(row, handle) {
        const isNarrow = window.innerWidth < 2 * LEAST_PX + 4 * HANDLE_PX;
        row.style.display = isNarrow ? "flex" : "grid";
        handle.style.display = isNarrow ? "none" : "block";
    }

    function divide(row) {
        const handle = document.createElement("div");
        handle.className = "resize-handle";
        row.insertBefore(handle, row.lastElementChild);
        row.style.gap = "0";
        row.style.gridTemplateColumns = EVEN;
        fit(row, handle);
        handle.addEventListener("pointerdown", (event) => {
            event.preventDefault();
            handle.setPointerCapture(event.pointerId);
        });
        handle.addEventListener("pointermove", (event) => {
            if (!handle.hasPointerCapture(event.pointerId)) return;
            const {left, width} = row.getBoundingClientRect();
            const most = width - HANDLE_PX - LEAST_PX;
            const wanted = Math.max(LEAST_PX, Math.min(event.clientX - left - HANDLE_PX / 2, most));
            row.style.gridTemplateColumns = `${wanted}px ${HANDLE_PX}px 1fr`;
        });
        handle.addEventListener("dblclick", () => {
            row.style.gridTemplateColumns = EVEN;
        });
        window.addEventListener("resize", () => {
            row.style.gridTemplateColumns = EVEN;
            fit(row, handle);
        });
    }

    onUiLoaded(() => gradioApp().querySelectorAll(".resize-handle-row").forEach(divide));
})();
