// A number typed beside a strength's slider may go beyond the slider's ends: gradio would pull it back when the field
// is left.

document.addEventListener("blur", (event) => {
    if (event.target.matches?.(".hnw-strength input[type=number]")) event.stopPropagation();
}, true);
