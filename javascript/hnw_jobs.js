// Jobs of our tabs that show their progress beside their own buttons, and the Interrupt that is for one of them alone.

// The job that was started last, by the first part of the ids of its tab or fold.
const hnwJobs = {};

// Names the job that Interrupt is for: the last one that this page has started there.
// eslint-disable-next-line no-unused-vars
function hnwStartedJob(prefix) {
    return [hnwJobs[prefix] ?? ""];
}

// Returns what the button sends to the server, with the id of a new job in front; its text and progress are shown, and
// its pictures meanwhile, where there is a gallery.
// eslint-disable-next-line no-unused-vars
function hnwStartJob(prefix, given) {
    const id = randomId();
    hnwShowJob(prefix, id, () => {}, () => {});
    return [id, ...given.slice(1)];
}

// Shows the progress of a job of a tab, wherever it was started; Interrupt there is for it from now on.
function hnwShowJob(prefix, id, onText, onEnd) {
    hnwJobs[prefix] = id;
    const container = gradioApp().querySelector(`#${prefix}_progress`);
    let live = gradioApp().querySelector(`#${prefix}_live`);
    if (!live) {
        live = document.createElement("div");
        live.id = `${prefix}_live`;
        container.parentNode.insertBefore(live, container.nextSibling);
    }
    const atEnd = () => {
        live.innerHTML = "";
        onEnd();
    };
    requestProgress(id, container, gradioApp().querySelector(`#${prefix}_gallery`), atEnd, (progress) => {
        if (progress.textinfo) live.innerHTML = progress.queued ? "" : progress.textinfo; // what it waits for has its own place
        onText(progress.textinfo ?? "");
    });
}

// A page that was opened during a study shows it, with what its trials have come to so far.
// eslint-disable-next-line no-unused-vars
function hnwFollowStudy(id) {
    const prefix = "hnw_tuning";
    if (!id || hnwJobs[prefix] === id) return [];
    const refresh = () => gradioApp().querySelector(`#${prefix}_refresh`).click();
    let shown = "";
    hnwShowJob(prefix, id, (text) => {
        const trial = /trial \d+ of \d+/.exec(text)?.[0] ?? shown;
        if (shown && trial !== shown) refresh();
        shown = trial;
    }, refresh);
    return [];
}
