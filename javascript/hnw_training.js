// Shows the progress of a training run beside its own button, through the WebUI's progress bar.
const hnwRunKey = "hnw_train_task";

// The run's line and curves, in an element of our own: gradio must find its own ones untouched.
function hnwLive() {
    let live = gradioApp().querySelector("#hnw_train_live");
    if (!live) {
        live = document.createElement("div");
        live.id = "hnw_train_live";
        const status = gradioApp().querySelector("#hnw_train_status");
        status.parentNode.insertBefore(live, status);
    }
    return live;
}

// Forgets the run once the server says that it is over; a page that is left in its middle is told nothing any more.
async function hnwForget(id) {
    const body = JSON.stringify({id_task: id, live_preview: false});
    const headers = {"Content-Type": "application/json"};
    try {
        const answer = await fetch("./internal/progress", {method: "POST", headers, body});
        const state = await answer.json();
        if (!state.active && !state.queued && localStorage.getItem(hnwRunKey) === id) localStorage.removeItem(hnwRunKey);
    } catch (error) {
        console.warn("the server does not answer; the run is looked for again when the page is reopened", error);
    }
}

function hnwFollow(id, atEnd) {
    const container = gradioApp().querySelector("#hnw_train_progress");
    const gallery = gradioApp().querySelector("#hnw_train_preview");
    const live = hnwLive();
    live.innerHTML = "";
    requestProgress(id, container, gallery, () => {
        hnwForget(id);
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

// Asks for a look at the entries once nobody has typed for a moment.
let hnwTrainLookTimer = null;
// eslint-disable-next-line no-unused-vars
function hnwTrainLookSoon() {
    clearTimeout(hnwTrainLookTimer);
    hnwTrainLookTimer = setTimeout(() => gradioApp().querySelector("#hnw_train_look").click(), 300);
    return [];
}
