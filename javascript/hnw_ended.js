// The end of a run of Train Gamma is told by a sound, and by a notification of the browser where it is not looked at.

(() => {
    const TONES_HZ = [660, 880];
    const isTold = new Map(); // of each run that was seen going on, by its task

    // As the WebUI rings for its pictures, where it does; else, or where its file cannot be played, two short tones.
    function ring() {
        if (!opts.hnw_end_sound || opts.notification_audio === false) return;
        const volume = (opts.notification_volume ?? 100) / 100;
        const hosts = gradioApp().querySelector("#audio_notification audio");
        if (!hosts) {
            soundTones(volume);
            return;
        }
        hosts.volume = volume;
        hosts.play().catch((error) => {
            console.warn("the WebUI's notification sound cannot be played", error);
            soundTones(volume);
        });
    }

    function soundTones(volume) {
        const context = new AudioContext();
        const gain = context.createGain();
        gain.gain.value = volume * 0.2;
        gain.connect(context.destination);
        TONES_HZ.forEach((pitch, number) => {
            const tone = context.createOscillator();
            tone.frequency.value = pitch;
            tone.connect(gain);
            tone.start(context.currentTime + number * 0.2);
            tone.stop(context.currentTime + number * 0.2 + 0.18);
        });
        setTimeout(() => context.close(), 1000);
    }

    function notify(sentence) {
        if (!opts.hnw_end_notification || document.hasFocus()) return;
        if (!window.Notification || Notification.permission !== "granted") return;
        const shown = new Notification("Hypernetwork Workbench", {body: hnwTranslated(sentence), tag: "hnw-ended"});
        shown.onclick = () => {
            window.focus();
            hnwOpenTrain();
            shown.close();
        };
    }

    function showButton() {
        const canAsk = Boolean(opts.hnw_end_notification) && window.Notification?.permission === "default";
        gradioApp().querySelector("#hnw_train_notify")?.classList.toggle("hnw-hidden", !canAsk);
    }

    // Only on a press may a page ask.
    window.hnwAllowNotifications = async () => {
        const answer = await Notification.requestPermission();
        showButton();
        const isAllowed = answer === "granted";
        const sentence = isAllowed ? "A notification tells the end of the run." : "The browser allows no notifications here.";
        return `<p class="${isAllowed ? "hnw-done" : "hnw-note"}">${sentence}</p>`;
    };

    // Called while a run goes on, and once more where an answer about its progress comes after its end.
    window.hnwRunGoesOn = (task) => {
        if (!isTold.has(task)) isTold.set(task, false);
    };

    onUiLoaded(() => {
        // The answer comes by itself also while this page is not in sight, where timers hardly run.
        new MutationObserver(() => {
            const ended = gradioApp().querySelector("#hnw_train_status [data-ended]");
            if (!ended || isTold.get(ended.dataset.task) !== false) return; // that of the run before stays for a while
            isTold.set(ended.dataset.task, true);
            ring();
            notify(ended.dataset.ended);
        }).observe(gradioApp().querySelector("#hnw_train_panel"), {childList: true, subtree: true});
    });
    onOptionsAvailable(showButton);
    onOptionsChanged(showButton);
})();
