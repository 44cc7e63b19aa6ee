"""A run saves before the process ends, and the host's own handlers do their part."""

import signal
import threading

import pytest

STOPS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture
def events(host):
    """Return what happened, in order, with handlers of a host that only take notes."""
    happened = []
    before = {number: signal.signal(number, lambda n, _frame: happened.append(n)) for number in STOPS}
    yield happened
    for number, handler in before.items():
        signal.signal(number, handler)


def made(end):
    from hypernetwork_workbench.patches.runs.stop_signals import StopSignals

    return StopSignals(end)


@pytest.mark.parametrize("number", STOPS)
def test_the_run_ends_first_and_then_the_host_has_its_signal(events, number):
    signals = made(lambda: events.append("saved"))
    signals.install()
    signals.install()
    signal.raise_signal(number)
    assert events == ["saved", number]
    signals.uninstall()
    signal.raise_signal(number)
    assert events == ["saved", number, number]


def test_a_second_signal_does_not_wait(events):
    signals = made(lambda: (events.append("waits"), signal.raise_signal(signal.SIGINT), events.append("saved")))
    signals.install()
    signal.raise_signal(signal.SIGINT)
    assert events == ["waits", signal.SIGINT, "saved", signal.SIGINT]
    signals.uninstall()


def test_the_host_has_its_signal_also_where_saving_fails(events):
    def fail():
        raise RuntimeError

    signals = made(fail)
    signals.install()
    with pytest.raises(RuntimeError):
        signal.raise_signal(signal.SIGTERM)
    assert events == [signal.SIGTERM]
    signals.uninstall()


def test_a_handler_that_came_in_front_of_ours_stays_and_ours_only_passes_on(events):
    signals = made(lambda: events.append("saved"))
    signals.install()
    ours = signal.signal(signal.SIGTERM, lambda n, frame: (events.append("theirs"), ours(n, frame)))
    theirs = signal.getsignal(signal.SIGTERM)
    signals.install()
    assert signal.getsignal(signal.SIGTERM) is theirs
    signals.uninstall()
    assert signal.getsignal(signal.SIGTERM) is theirs
    signal.raise_signal(signal.SIGTERM)
    assert events == ["theirs", signal.SIGTERM]


def test_a_signal_that_is_ignored_stays_so_and_other_threads_do_nothing(events):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)
    signals = made(lambda: events.append("saved"))
    thread = threading.Thread(target=signals.install)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    signals.install()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    signals.uninstall()


def test_the_page_switches_it_off_and_on_from_a_thread_of_its_own(events):
    signals = made(lambda: events.append("saved"))
    signals.install()
    for act, expected in ((signals.uninstall, []), (signals.install, ["saved"])):
        events.clear()
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        signal.raise_signal(signal.SIGTERM)
        assert events == [*expected, signal.SIGTERM]
    signals.uninstall()


def test_the_extension_stands_in_front_of_the_hosts_handlers_while_it_is_on(events, host):
    from hypernetwork_workbench import patches

    before = [signal.getsignal(number) for number in STOPS]
    patches.install_all()
    assert [signal.getsignal(number) for number in STOPS] != before
    patches.uninstall_all()
    assert [signal.getsignal(number) for number in STOPS] == before
