// Gives names to controls of ours that gradio leaves without one, for those who hear the page: the number beside a
// slider is called what the slider is.
onUiLoaded(() => {
    for (const number of gradioApp().querySelectorAll("input[data-testid=number-input]")) {
        const block = number.closest("[id^=hnw_], [id^=setting_hnw_]");
        const label = block?.querySelector("label > span");
        if (!label) continue;
        label.id = `${block.id}_label`;
        number.setAttribute("aria-labelledby", label.id);
    }
});
