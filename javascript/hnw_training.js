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
        hnwMarkRun(null, id);
        hnwLookSoon("hnw_train"); // there may be a run to continue now
        atEnd();
    }, (progress) => {
        if (progress.textinfo) {
            live.innerHTML = progress.textinfo;
        }
        hnwMarkRun(live.querySelector(".hnw-run"), id);
    });
}

// What can be asked of a run is in sight while one goes on.
function hnwMarkRun(line, id) {
    if (line) hnwRunGoesOn(id);
    const {classList} = gradioApp().querySelector("#hnw_train_going_on");
    classList.toggle("hnw-is-running", Boolean(line));
    classList.toggle("hnw-is-paused", line?.dataset.paused === "1");
}

// The runs that this page has started and seen no end of: their starts may still be on their way to the server, more than
// one where a button was pressed twice.
const hnwRunsComing = new Set();

// eslint-disable-next-line no-unused-vars
function hnwRunComing() {
    return [[...hnwRunsComing].join("\n")];
}

// eslint-disable-next-line no-unused-vars
function hnwStartTraining() {
    const id = randomId();
    localStorage.setItem(hnwRunKey, id);
    hnwRunsComing.add(id);
    hnwFollow(id, () => hnwRunsComing.delete(id));
    const values = Array.from(arguments);
    values[0] = id;
    return values;
}

function hnwFollowToLast(id) {
    hnwFollow(id, () => gradioApp().querySelector("#hnw_train_last").click());
}

// A page that was closed while a run went on shows the run again when it is reopened; and any page that is opened
// meanwhile, on whatever machine, shows it with its settings in the form.
onUiLoaded(() => onOptionsAvailable(() => { // before that the host does not know whether to show its bar
    const id = localStorage.getItem(hnwRunKey);
    if (id) hnwFollowToLast(id);
    hnwAskForRun(20);
}));

let hnwHasAskedForRun = false;

// The page may be in sight before its buttons do anything.
function hnwAskForRun(times) {
    if (hnwHasAskedForRun || !times) return;
    gradioApp().querySelector("#hnw_train_show")?.click();
    setTimeout(() => hnwAskForRun(times - 1), 1000);
}

// eslint-disable-next-line no-unused-vars
function hnwFollowShown(id) {
    const isFirst = !hnwHasAskedForRun;
    hnwHasAskedForRun = true;
    if (id && !hnwFollowed.has(id)) hnwFollowToLast(id);
    // Nothing goes on, and nothing was started meanwhile: what the last run ended with is shown.
    const isIdle = !id && !hnwFollowed.has(localStorage.getItem(hnwRunKey));
    if (isFirst && isIdle) gradioApp().querySelector("#hnw_train_last_run").click();
    return [];
}

// A page that is open already follows a run that the queue or another page has started; its form keeps its entries.
// eslint-disable-next-line no-unused-vars
function hnwFollowActive(id) {
    if (id && !hnwFollowed.has(id)) hnwFollowToLast(id);
    return [];
}

function hnwOpenTrain() {
    const pane = gradioApp().querySelector("#hnw_train_tab");
    const panes = Array.from(pane.parentElement.children).filter((one) => one.classList.contains("tabitem"));
    pane.parentElement.querySelectorAll(":scope > .tab-nav button")[panes.indexOf(pane)]?.click();
}

// The runs that are ticked in the tab Runs, one a line.
function hnwTickedRuns() {
    const boxes = gradioApp().querySelectorAll("#hnw_runs_list .hnw-run-choice:checked");
    return Array.from(boxes, (box) => box.value).join("\n");
}

// eslint-disable-next-line no-unused-vars
function hnwChosenRuns(_ids, ...values) {
    return [hnwTickedRuns(), ...values];
}

// eslint-disable-next-line no-unused-vars
function hnwContinueChosenRun(_task, _ids, ...values) {
    const started = hnwStartTraining("", hnwTickedRuns(), ...values);
    hnwOpenTrain();
    return started;
}

// eslint-disable-next-line no-unused-vars
function hnwContinueUnlessRefused(status) {
    if (!status.includes("hnw-errors")) gradioApp().querySelector("#hnw_runs_go_on").click();
    return [];
}

// eslint-disable-next-line no-unused-vars
function hnwOpenTrainUnlessRefused(status) {
    if (!status.includes("hnw-errors")) hnwOpenTrain();
    return [];
}

// Enters the rates that were found, as if they were typed.
// eslint-disable-next-line no-unused-vars
function hnwTrainUseRates(button) {
    for (const [name, rate] of Object.entries(JSON.parse(button.dataset.rates))) {
        const field = gradioApp().querySelector(`#hnw_train_${name} textarea, #hnw_train_${name} input`);
        field.value = rate;
        updateInput(field);
        field.scrollIntoView({block: "center", behavior: "smooth"});
    }
}
