// The tab Dataset: the pictures that are selected, the keys that move among the pictures, and how many are on a page.

const hnwDatasetChosen = new Set();
let hnwDatasetAnchor = null;
let hnwDatasetToken = "";
let hnwDatasetEntered = "";

function hnwDatasetCards() {
    return gradioApp().querySelector("#hnw_dataset_cards .hnw-cards");
}

function hnwDatasetNumbers(cards) {
    return Array.from(cards.querySelectorAll(".hnw-card"), (card) => Number(card.dataset.number));
}

// Shows in the page which pictures are selected. Those of another dataset are not.
function hnwDatasetShowSelection() {
    const cards = hnwDatasetCards();
    if (cards && cards.dataset.token !== hnwDatasetToken) {
        hnwDatasetToken = cards.dataset.token;
        hnwDatasetChosen.clear();
        hnwDatasetAnchor = null;
    }
    for (const box of cards?.querySelectorAll(".hnw-cell > input") ?? []) {
        box.checked = hnwDatasetChosen.has(Number(box.dataset.number));
        box.parentElement.classList.toggle("hnw-is-selected", box.checked);
    }
    const numbers = Array.from(hnwDatasetChosen).join(" ");
    if (numbers !== hnwDatasetEntered) {
        hnwDatasetEntered = numbers;
        hnwDatasetSet("hnw_dataset_selected", numbers);
    }
    const count = gradioApp().querySelector("#hnw_dataset_selection .hnw-selected");
    const words = `${hnwDatasetChosen.size} selected`;
    if (count && count.dataset.words !== words) {
        count.dataset.words = words; // the text itself may be translated
        count.textContent = words;
    }
}

// Selects one picture or not, with Shift all from the last one to it.
function hnwDatasetMark(number, isSelected, isRange) {
    const shown = hnwDatasetCards().dataset.shown.split(" ").map(Number);
    const [from, to] = [shown.indexOf(hnwDatasetAnchor ?? number), shown.indexOf(number)].sort((a, b) => a - b);
    const numbers = isRange && from >= 0 ? shown.slice(from, to + 1) : [number];
    for (const one of numbers) isSelected ? hnwDatasetChosen.add(one) : hnwDatasetChosen.delete(one);
    if (!isRange || hnwDatasetAnchor === null) hnwDatasetAnchor = number;
    hnwDatasetShowSelection();
}

// eslint-disable-next-line no-unused-vars
function hnwDatasetTick(event, box) {
    hnwDatasetMark(Number(box.dataset.number), box.checked || event.shiftKey, event.shiftKey);
}

// A press opens the picture; with Ctrl or Shift it selects.
// eslint-disable-next-line no-unused-vars
function hnwDatasetPress(event, card) {
    const number = Number(card.dataset.number);
    if (event.shiftKey) hnwDatasetMark(number, true, true);
    else if (event.ctrlKey || event.metaKey) hnwDatasetMark(number, !hnwDatasetChosen.has(number), false);
    else hnwDatasetPick(number);
}

// Selects the pictures of this page or all that are shown, or none.
function hnwDatasetSelect(which) {
    const cards = hnwDatasetCards();
    if (which === "none") hnwDatasetChosen.clear();
    else if (cards) {
        const shown = which === "page" ? hnwDatasetNumbers(cards) : cards.dataset.shown.split(" ").filter(Boolean).map(Number);
        shown.forEach((number) => hnwDatasetChosen.add(number));
    }
    hnwDatasetShowSelection();
}

// The card that an arrow leads to.
function hnwDatasetNeighbour(cards, at, key) {
    const top = cards[at].offsetTop;
    const columns = Math.max(1, cards.filter((card) => card.offsetTop === cards[0].offsetTop).length);
    const by = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[key];
    const next = cards[at + by];
    return next && (Math.abs(by) === 1 || next.offsetTop !== top) ? next : undefined;
}

document.addEventListener("keydown", (event) => {
    const card = event.target.closest?.(".hnw-cell")?.querySelector(".hnw-card");
    if (!card || event.altKey) return;
    const cards = Array.from(hnwDatasetCards().querySelectorAll(".hnw-card"));
    const isControl = event.ctrlKey || event.metaKey;
    if (event.key.startsWith("Arrow") && !isControl) {
        event.preventDefault();
        const next = hnwDatasetNeighbour(cards, cards.indexOf(card), event.key);
        if (!next) return;
        if (event.shiftKey) {
            if (hnwDatasetAnchor === null) hnwDatasetMark(Number(card.dataset.number), true, false);
            hnwDatasetMark(Number(next.dataset.number), true, true);
        }
        next.focus();
    } else if (event.key === " " && event.target === card) {
        event.preventDefault();
        hnwDatasetMark(Number(card.dataset.number), event.shiftKey || !hnwDatasetChosen.has(Number(card.dataset.number)), event.shiftKey);
    } else if (event.key === "a" && isControl) {
        event.preventDefault();
        hnwDatasetSelect("page");
    } else if (event.key === "Escape") {
        hnwDatasetSelect("none");
    }
});

// A button is pressed by the end of Space, which selects here.
document.addEventListener("keyup", (event) => {
    if (event.key === " " && event.target.matches?.(".hnw-card")) event.preventDefault();
});

const hnwDatasetPerPageKey = "hnw_dataset_per_page";

onUiLoaded(() => {
    const field = gradioApp().querySelector("#hnw_dataset_per_page input");
    if (!field) return;
    const remembered = localStorage.getItem(hnwDatasetPerPageKey);
    if (remembered && remembered !== field.value) hnwDatasetSet("hnw_dataset_per_page", remembered);
    field.addEventListener("change", () => {
        if (/^[1-9]\d*$/.test(field.value)) localStorage.setItem(hnwDatasetPerPageKey, field.value);
    });
});

onAfterUiUpdate(hnwDatasetShowSelection);
