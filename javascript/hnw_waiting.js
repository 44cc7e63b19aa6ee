// A job that waits for a training run says so below its bar, with a button that lets it in between two steps; and
// Interrupt, in the tab of a job that waits, takes that job back and nothing else.

// The jobs that this page shows the progress of: where, and whether they wait for a run.
const hnwFollowed = new Map();
let hnwWaitingIds = "";

// Gives the server the tasks that its handler is for.
// eslint-disable-next-line no-unused-vars
function hnwWaitingTasks() {
    return [hnwWaitingIds];
}

function hnwSendWaiting(name, ids) {
    hnwWaitingIds = ids.join("\n");
    gradioApp().querySelector(`#hnw_waiting_${name}`)?.click();
}

// eslint-disable-next-line no-unused-vars
function hnwLetIn(button) {
    button.disabled = true;
    hnwSendWaiting("let_in", [button.dataset.task]);
}

(() => {
    let count = 0;

    function notice(container) {
        const made = document.createElement("div");
        made.id = `hnw_waiting_notice_${++count}`;
        made.className = "hnw-waiting-notice";
        made.setAttribute("role", "status");
        container.parentNode.insertBefore(made, container);
        return made;
    }

    function show(job, state) {
        job.waits = Boolean(state.queued && state.textinfo?.includes("hnw-waits"));
        if (!job.waits) {
            job.notice?.remove();
            job.notice = undefined;
            return;
        }
        job.notice ??= notice(job.container);
        if (job.shown === state.textinfo) return;
        job.shown = state.textinfo;
        const fresh = document.createElement("template");
        fresh.innerHTML = state.textinfo;
        const [old, next] = [job.notice, fresh.content].map((one) => one.querySelector("button"));
        if (old && next) { // the focus stays on it
            job.notice.querySelector("p").replaceWith(fresh.content.querySelector("p"));
        } else {
            job.notice.replaceChildren(fresh.content);
        }
    }

    // Once all scripts are there, the host's among them.
    document.addEventListener("DOMContentLoaded", () => {
        const follow = window.requestProgress;
        window.requestProgress = function (id, container, gallery, atEnd, onProgress, ...rest) {
            const job = {container, waits: false};
            hnwFollowed.set(id, job);
            const ended = () => {
                hnwFollowed.delete(id);
                job.notice?.remove();
                atEnd();
            };
            return follow(id, container, gallery, ended, (state) => {
                show(job, state);
                if (onProgress) onProgress(state);
            }, ...rest);
        };
    });

    document.addEventListener("click", (event) => {
        const button = event.target.closest?.("button[id$=_interrupt], button[id$=_interrupting]");
        if (!button || button.id.startsWith("hnw_")) return;
        const tab = button.closest("#tabs > .tabitem") ?? document.body;
        const waiting = [...hnwFollowed].filter(([, job]) => job.waits && tab.contains(job.container));
        if (!waiting.length) return;
        event.stopPropagation();
        event.preventDefault();
        hnwSendWaiting("give_up", waiting.map(([id]) => id));
    }, true);
})();
