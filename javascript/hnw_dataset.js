// The tab Dataset: pictures and tags that are pressed.

function hnwDatasetSet(id, value) {
    const field = gradioApp().querySelector(`#${id} input, #${id} textarea`);
    const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
    for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, {bubbles: true}));
}

// Shows the pictures with this tag.
// eslint-disable-next-line no-unused-vars
function hnwDatasetFind(button) {
    hnwDatasetSet("hnw_dataset_words", button.dataset.tag);
    gradioApp().querySelector("#hnw_dataset_bar").scrollIntoView({block: "start", behavior: "smooth"});
}

// Sorts a table by a column: names from A to Z, numbers from the largest on.
// eslint-disable-next-line no-unused-vars
function hnwDatasetSort(button, column) {
    const body = button.closest("table").querySelector("tbody");
    const rows = Array.from(body.rows);
    const number = (row) => Number(row.cells[column].dataset.sort);
    const text = (row) => row.cells[column].textContent;
    const isNumber = rows.every((row) => row.cells[column].dataset.sort !== undefined);
    rows.sort((one, other) => (isNumber ? number(other) - number(one) : text(one).localeCompare(text(other))));
    body.append(...rows);
}
