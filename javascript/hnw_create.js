// The tab Create: its attention widths stay those of the checkpoint that is loaded.
(function () {
    let checkpoint = null;

    function refresh() {
        gradioApp().querySelector("#hnw_create_refresh")?.click();
    }

    onOptionsChanged(() => {
        if (opts.sd_model_checkpoint === checkpoint) return;
        checkpoint = opts.sd_model_checkpoint;
        refresh();
    });

    // A checkpoint that is still loading when the tab is opened tells nobody when it is ready.
    setInterval(() => {
        const widths = gradioApp().querySelector("#hnw_create_widths");
        if (widths && widths.offsetParent && !widths.querySelector("input[type=checkbox]")) refresh();
    }, 2000);
})();
