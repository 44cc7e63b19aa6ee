// Shows the progress of a training run beside its own button, through the WebUI's progress bar.
const hnwRunKey = "hnw_train_task";

// The run's line and curves, in an element of our own: gradio must find its own ones untouched.
function hnwLive() {
    let live = gradioApp().querySelector("#hnw_train_live");
    if (!live) {
        live = document.createElement("div");
        live.id = "hnw_train_live";
        const container = gradioApp().querySelector("#hnw_train_progress");
        container.parentNode.insertBefore(live, container.nextSibling);
    }
    return live;
}

function hnwFollow(id, atEnd) {
    const container = gradioApp().querySelector("#hnw_train_progress");
    const gallery = gradioApp().querySelector("#hnw_train_preview");
    const live = hnwLive();
    live.innerHTML = "";
    requestProgress(id, container, gallery, () => {
        localStorage.removeItem(hnwRunKey);
        live.innerHTML = "";
        atEnd();
    }, (progress) => {
        if (progress.textinfo) {
            live.innerHTML = progress.textinfo;
        }
    });
}

// eslint-disable-next-line no-unused-vars
function hnwStartTraining() {
    const id = randomId();
    localStorage.setItem(hnwRunKey, id);
    hnwFollow(id, () => {});
    const values = Array.from(arguments);
    values[0] = id;
    return values;
}

// A page that was closed while a run went on shows the run again when it is reopened.
onUiLoaded(() => {
    const id = localStorage.getItem(hnwRunKey);
    if (id) {
        hnwFollow(id, () => gradioApp().querySelector("#hnw_train_last").click());
    }
});
