// What extensions expect of the page: the WebUI's helper functions, and the progress of long jobs.

function gradioApp() {
    const app = document.getElementsByTagName("gradio-app")[0];
    if (!app) return document;
    if (app.shadowRoot) return app.shadowRoot;
    app.getElementById = (id) => document.getElementById(id);
    return app;
}

function get_uiCurrentTab() {
    return gradioApp().querySelector("#tabs > .tab-nav > button.selected");
}

function get_uiCurrentTabContent() {
    return gradioApp().querySelector('#tabs > .tabitem[id^=tab_]:not([style*="display: none"])');
}

const hostCallbacks = {update: [], afterUpdate: [], loaded: [], tabChange: [], optionsChanged: [], optionsAvailable: []};
var opts = {};

function onUiUpdate(callback) {
    hostCallbacks.update.push(callback);
}
function onAfterUiUpdate(callback) {
    hostCallbacks.afterUpdate.push(callback);
}
function onUiLoaded(callback) {
    hostCallbacks.loaded.push(callback);
}
function onUiTabChange(callback) {
    hostCallbacks.tabChange.push(callback);
}
function onOptionsChanged(callback) {
    hostCallbacks.optionsChanged.push(callback);
}
function onOptionsAvailable(callback) {
    if (Object.keys(opts).length) callback();
    else hostCallbacks.optionsAvailable.push(callback);
}

function runCallbacks(name, argument) {
    for (const callback of hostCallbacks[name]) {
        try {
            callback(argument);
        } catch (error) {
            console.error("error running callback", callback, error);
        }
    }
}

function readOptions() {
    const text = gradioApp().querySelector("#settings_json textarea")?.value;
    if (!text || text === readOptions.last) return;
    const first = readOptions.last === undefined;
    readOptions.last = text;
    opts = JSON.parse(text);
    if (first) runCallbacks("optionsAvailable");
    runCallbacks("optionsChanged");
}

document.addEventListener("DOMContentLoaded", () => {
    let isLoaded = false;
    let timeout = null;
    let tab = null;
    new MutationObserver((changes) => {
        if (!isLoaded && gradioApp().querySelector("#txt2img_prompt")) {
            isLoaded = true;
            runCallbacks("loaded");
        }
        runCallbacks("update", changes);
        clearTimeout(timeout);
        timeout = setTimeout(() => {
            readOptions();
            runCallbacks("afterUpdate");
        }, 200);
        const current = get_uiCurrentTab();
        if (current && current !== tab) {
            tab = current;
            runCallbacks("tabChange");
        }
    }).observe(gradioApp(), {childList: true, subtree: true});
});

document.addEventListener("keydown", (event) => {
    const content = get_uiCurrentTabContent();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        content?.querySelector("button[id$=_generate]")?.click();
        event.preventDefault();
    }
});

// A picture dropped on the prompt goes to a file field out of sight, which puts its infotext there.
for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
        const {types, files} = event.dataTransfer ?? {};
        if (!types?.includes("Files") || !event.target.closest?.("#txt2img_prompt")) return;
        event.preventDefault();
        event.stopPropagation();
        const input = gradioApp().querySelector("#txt2img_prompt_image input[type=file]");
        if (kind === "dragover" || !input) return;
        input.files = files;
        input.dispatchEvent(new Event("change"));
    }, true);
}

function randomId() {
    const part = () => Math.random().toString(36).slice(2, 7);
    return `task(${part()}${part()}${part()})`;
}

function updateInput(target) {
    const event = new Event("input", {bubbles: true});
    Object.defineProperty(event, "target", {value: target});
    target.dispatchEvent(event);
}

function localSet(key, value) {
    try {
        localStorage.setItem(key, value);
    } catch (error) {
        console.warn(`cannot store ${key}`, error);
    }
}

function localGet(key, fallback) {
    return localStorage.getItem(key) ?? fallback;
}

async function request(url, data) {
    const body = JSON.stringify(data);
    const answer = await fetch(url, {method: "POST", headers: {"Content-Type": "application/json"}, body});
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.json();
}

function formatTime(seconds) {
    const minutes = Math.floor(seconds / 60);
    return minutes ? `${minutes}m ${Math.floor(seconds % 60)}s` : `${Math.floor(seconds)}s`;
}

function progressLine(state) {
    const parts = [];
    if (state.textinfo && !state.textinfo.includes("\n")) parts.push(state.textinfo);
    if (state.progress > 0) parts.push(`${Math.round(state.progress * 100)}%`);
    if (state.eta) parts.push(`ETA: ${formatTime(state.eta)}`);
    return parts.join(" ");
}

function showPreview(gallery, holder, source) {
    const image = new Image();
    image.onload = () => {
        if (!holder.parentNode) gallery.insertBefore(holder, gallery.firstElementChild);
        holder.replaceChildren(image);
    };
    image.src = source;
}

// Shows a progress bar before `container`, and live previews in `gallery`, until the job is over.
async function requestProgress(id, container, gallery, atEnd, onProgress, inactivityTimeout = 40) {
    const start = Date.now();
    const bar = document.createElement("div");
    const inner = document.createElement("div");
    const holder = document.createElement("div");
    bar.className = "progressDiv";
    inner.className = "progress";
    holder.className = "livePreview";
    bar.appendChild(inner);
    container.parentNode.insertBefore(bar, container);
    let wasActive = false;
    let preview = -1;
    try {
        for (;;) {
            const state = await request("./internal/progress", {id_task: id, id_live_preview: preview, live_preview: !!gallery});
            const idle = !state.active && !state.queued;
            if (state.completed || (idle && (wasActive || Date.now() - start > inactivityTimeout * 1000))) break;
            wasActive = wasActive || state.active;
            inner.style.width = `${(state.progress || 0) * 100}%`;
            inner.textContent = progressLine(state);
            if (state.live_preview && gallery) showPreview(gallery, holder, state.live_preview);
            if (state.active) preview = state.id_live_preview;
            if (onProgress) onProgress(state);
            await new Promise((resolve) => setTimeout(resolve, 300));
        }
    } catch (error) {
        console.error(error);
    } finally {
        bar.remove();
        holder.remove();
        atEnd();
    }
}

function submit(...values) {
    const id = randomId();
    const app = gradioApp();
    // Dimmed and not emptied: gradio keeps hold of what is inside.
    const busy = ["txt2img_actions_column", "html_log_txt2img"].map((name) => app.getElementById(name));
    busy.forEach((element) => element.classList.add("busy"));
    requestProgress(id, app.getElementById("txt2img_gallery_container"), app.getElementById("txt2img_gallery"), () => {
        busy.forEach((element) => element.classList.remove("busy"));
    });
    values[0] = id;
    return values;
}

function start_training_textual_inversion(...values) {
    const id = randomId();
    const app = gradioApp();
    const error = app.getElementById("ti_error");
    error.classList.add("busy");
    requestProgress(id, app.getElementById("ti_output"), app.getElementById("ti_gallery"), () => {
        error.classList.remove("busy");
    });
    values[0] = id;
    return values;
}

// After "Reload UI": waits until the page was gone and answers again.
function restart_reload(...values) {
    document.body.innerHTML = '<h1 id="reloading">Reloading...</h1>';
    const poll = async () => {
        try {
            await request("./internal/progress", {});
            location.reload();
        } catch {
            setTimeout(poll, 500);
        }
    };
    setTimeout(poll, 2000);
    return values;
}
