// Shows the progress of a training run beside its own button, through the WebUI's progress bar.
// eslint-disable-next-line no-unused-vars
function hnwStartTraining() {
    const id = randomId();
    const status = gradioApp().querySelector("#hnw_train_status");
    const progressContainer = gradioApp().querySelector("#hnw_train_progress");
    const gallery = gradioApp().querySelector("#hnw_train_preview");
    requestProgress(id, progressContainer, gallery, () => {}, (progress) => {
        if (progress.textinfo) {
            status.textContent = progress.textinfo;
        }
    });
    const values = Array.from(arguments);
    values[0] = id;
    return values;
}
