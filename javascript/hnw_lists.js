// Our lists of networks are read again when a person comes back to the page, perhaps from copying a file.

const HNW_LISTS = [
    ...["train", "merge", "inspect", "picker"].map((name) => `hnw_${name}_refresh`),
    "hnw_picker_refresh_img2img",
];

(() => {
    window.addEventListener("focus", () => {
        for (const id of HNW_LISTS) {
            const button = gradioApp().querySelector(`#${id}`);
            if (button?.offsetParent) button.click(); // what is not in sight is read when its tab is opened
        }
    });
})();
