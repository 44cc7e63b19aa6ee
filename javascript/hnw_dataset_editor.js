// The tab Dataset: the picture whose caption is edited, its tags, and the keys that go on and save.

let hnwDatasetUnlock = 0;
let hnwDatasetJobs = 0;
let hnwDatasetWish = null;

function hnwDatasetCaption() {
    return gradioApp().querySelector("#hnw_dataset_caption textarea");
}

function hnwDatasetButton(name) {
    return gradioApp().querySelector(`#hnw_dataset_${name}_button`);
}

function hnwDatasetIsOpen() {
    const editor = gradioApp().querySelector("#hnw_dataset_editor");
    return Boolean(editor?.offsetParent) && Boolean(hnwDatasetCaption());
}

// Shows the picture of this number with its caption to edit, once that can be.
function hnwDatasetPick(number) {
    if (hnwDatasetIsLeaving()) {
        hnwDatasetWish = {number, token: hnwDatasetCards().dataset.token};
        return;
    }
    hnwDatasetSet("hnw_dataset_picked", String(number));
    setTimeout(() => hnwDatasetButton("pick").click()); // once gradio has taken the number
    const start = gradioApp().querySelector("#hnw_dataset_editor_place");
    setTimeout(() => start.scrollIntoView({block: "start", behavior: "smooth"}), 300);
}

function hnwDatasetIsLeaving() {
    return hnwDatasetJobs > 0 || Boolean(hnwDatasetUnlock);
}

// Nothing can be typed into a caption that is about to be replaced: it would be lost.
function hnwDatasetLeave() {
    clearTimeout(hnwDatasetUnlock);
    hnwDatasetUnlock = setTimeout(hnwDatasetArrive, 20000); // a server that does not answer at all
    hnwDatasetLock();
}

function hnwDatasetArrive() {
    clearTimeout(hnwDatasetUnlock);
    hnwDatasetUnlock = 0;
    hnwDatasetLock();
    hnwDatasetShowTags();
}

// The same for as long as a job goes on that may give all pictures other captions; there may be several at once.
function hnwDatasetWork(isBegun) {
    hnwDatasetJobs += isBegun ? 1 : -1;
    hnwDatasetLock();
}

function hnwDatasetLock() {
    const isLocked = hnwDatasetIsLeaving();
    const caption = hnwDatasetCaption();
    if (caption) caption.readOnly = isLocked;
    gradioApp().querySelector("#hnw_dataset_panel").classList.toggle("hnw-is-locked", isLocked);
    const wish = hnwDatasetWish;
    if (isLocked || !wish) return;
    hnwDatasetWish = null;
    if (wish.token === hnwDatasetCards()?.dataset.token) hnwDatasetPick(wish.number);
}

// The tags of the caption with their places in it, and where the separators before them begin.
function hnwDatasetTags(text) {
    const place = gradioApp().querySelector("#hnw_dataset_tag_editor .hnw-tag-editor");
    if (!place) return [];
    const tags = [];
    let start = 0;
    let before = 0;
    for (const found of text.matchAll(new RegExp(`(?:${place.dataset.separator})|\\n`, "g"))) {
        tags.push({text: text.slice(start, found.index).trim(), start, before, end: found.index});
        before = found[0] === "\n" ? found.index + 1 : found.index;
        start = found.index + found[0].length;
    }
    tags.push({text: text.slice(start).trim(), start, before, end: text.length});
    return tags.filter((tag) => tag.text);
}

function hnwDatasetShowTags() {
    const list = gradioApp().querySelector("#hnw_dataset_tag_editor .hnw-chips");
    const caption = hnwDatasetCaption();
    if (!list || !caption) return;
    const text = caption.value;
    if (list.dataset.text === text && list.childElementCount) return;
    list.dataset.text = text;
    list.replaceChildren(...hnwDatasetTags(text).map((tag, number) => {
        const item = document.createElement("li");
        const remove = document.createElement("button");
        remove.type = "button";
        remove.textContent = "×";
        remove.disabled = caption.disabled;
        remove.setAttribute("aria-label", "Remove the tag {}".replace("{}", () => tag.text));
        remove.onclick = () => hnwDatasetRemoveTag(number);
        item.append(tag.text, remove);
        return item;
    }));
}

function hnwDatasetCanWrite() {
    return !hnwDatasetIsLeaving() && !hnwDatasetCaption().disabled;
}

function hnwDatasetWrite(text) {
    if (!hnwDatasetCanWrite()) return;
    hnwDatasetSet("hnw_dataset_caption", text);
    hnwDatasetShowTags();
}

function hnwDatasetRemoveTag(number) {
    const text = hnwDatasetCaption().value;
    const tags = hnwDatasetTags(text);
    const [tag, next] = [tags[number], tags[number + 1]];
    const isFirstOfLine = tag.before === tag.start;
    // The first tag of a line takes the separator behind it along, any other that before it.
    const end = isFirstOfLine && next && next.before !== next.start ? next.start : tag.end;
    hnwDatasetWrite(text.slice(0, isFirstOfLine ? tag.start : tag.before) + text.slice(end));
    const buttons = gradioApp().querySelectorAll("#hnw_dataset_tag_editor .hnw-chips button");
    (buttons[Math.min(number, buttons.length - 1)] ?? hnwDatasetCaption()).focus();
}

// eslint-disable-next-line no-unused-vars
function hnwDatasetAddTag(event, field) {
    if (event.key !== "Enter" || event.isComposing || !field.value.trim()) return;
    event.preventDefault();
    if (!hnwDatasetCanWrite()) return; // what was typed stays, to be entered later
    const {joint} = field.closest(".hnw-tag-editor").dataset;
    const offered = Array.from(field.list.options).find((option) => option.value === field.value.trim());
    const tag = offered?.dataset.tag ?? field.value.trim();
    const text = hnwDatasetCaption().value.replace(/\s+$/, "");
    if (!hnwDatasetTags(text).some((one) => one.text === tag)) hnwDatasetWrite(text ? text + joint + tag : tag);
    field.value = "";
}

function hnwDatasetGo(name) {
    if (!hnwDatasetIsLeaving()) hnwDatasetButton(name).click();
}

// Arrows go on where they mean nothing else: in a field they move in it, so there they do with Alt.
document.addEventListener("keydown", (event) => {
    if (event.isComposing || !hnwDatasetIsOpen()) return;
    const {target} = event;
    const isInField = target.matches("input:not([type=checkbox]), textarea, select, [contenteditable]");
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
    const isOurs = target === document.body || target.closest("#hnw_dataset_tab");
    if (!isOurs) return;
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
        event.preventDefault();
        hnwDatasetButton("save").click();
    } else if (event.altKey && ["ArrowDown", "ArrowUp"].includes(event.key)) {
        event.preventDefault();
        hnwDatasetGo(event.key === "ArrowDown" ? "next" : "previous");
    } else if (isPlain && !isInField && !target.closest(".hnw-cards") && ["ArrowRight", "ArrowLeft"].includes(event.key)) {
        event.preventDefault();
        hnwDatasetGo(event.key === "ArrowRight" ? "next" : "previous");
    }
});

document.addEventListener("click", (event) => {
    const moves = ["pick", "previous", "next", "discard"];
    const edits = ["tags", "undo", "add_first", "add_last", "remove"];
    const isOneOf = (names) => names.some((name) => hnwDatasetButton(name)?.contains(event.target));
    if (hnwDatasetJobs && isOneOf(moves)) event.stopPropagation();
    else if (isOneOf([...moves, ...edits])) hnwDatasetLeave();
    else if (isOneOf(["look", "conversion", "taggers"])) hnwDatasetWork(true);
}, true);

document.addEventListener("input", (event) => {
    if (event.target === hnwDatasetCaption()) hnwDatasetShowTags();
});

// A page that is closed or reloaded asks about a caption that is not saved.
window.addEventListener("beforeunload", (event) => {
    const held = gradioApp().querySelector("#hnw_dataset_held textarea, #hnw_dataset_held input");
    if (hnwDatasetIsOpen() && held && held.value !== hnwDatasetCaption().value) event.preventDefault();
});

onAfterUiUpdate(hnwDatasetShowTags);
