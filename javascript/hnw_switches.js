// After one of our switches in the settings has changed, the lists of networks in this page are read again.

(() => {
    const LISTS = [
        "refresh_sd_hypernetwork",
        "refresh_train_hypernetwork_name",
        ...["txt2img", "img2img"].map((tab) => `${tab}_hypernetworks_extra_refresh_internal`),
        ...HNW_LISTS,
    ];
    let before = null;

    onOptionsChanged(() => {
        const ours = Object.entries(opts).filter(([key]) => /^hnw_(enabled|patch_)/.test(key));
        const now = JSON.stringify(ours.sort());
        const isChanged = before !== null && now !== before;
        before = now;
        if (isChanged) for (const id of LISTS) gradioApp().querySelector(`#${id}`)?.click();
    });
})();
