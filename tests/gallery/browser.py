"""A real browser for tests: Chromium without a window, spoken to through a pipe in its DevTools protocol."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# No sandbox: it needs rights that a container does not give, and the page is our own. Without a network service that
# asks outside for updates or components.
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe"),
)

_SAID = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
_ASKED = "Network.requestWillBeSent"


class Browser:
    """One page of a headless Chromium; `said` collects what it logs: errors, warnings, requests to anywhere."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # The protocol wants the pipes at 3 and 4. The shell puts them there, from numbers that cannot be 3 or 4.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]
        self.process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$0" "$@" 3<&{ends[0]} 4>&{ends[1]}',
                CHROMIUM,
                *OPTIONS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *ends):
            os.close(end)
        self.input, self.output = os.fdopen(ours_in, "rb", 0), os.fdopen(ours_out, "wb", 0)
        self.rest, self.number, self.session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self.session = ""
        self.call("Browser.close")
        self.process.wait(timeout=60)
        self.input.close()
        self.output.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; what happens meanwhile is kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        address = {"sessionId": self.session} if self.session else {}
        self.output.write(json.dumps({**message, **address}).encode() + b"\0")
        while (answer := self._read()).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return dict(answer["result"])

    def wait(self, method: str) -> dict[str, Any]:
        """Return the parameters of the first event of this name that was not waited for."""
        while not any(event["method"] == method for event in self.events):
            self.events.append(self._read())
        found = next(event for event in self.events if event["method"] == method)
        self.events.remove(found)
        return dict(found["params"])

    def open(self, address: str, width: int, height: int) -> None:
        """Show a page in a window of this size and wait until it is loaded; what was logged before is forgotten."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700
        )
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page, a promise's once it is kept."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        code = {"Tab": 9, "Enter": 13}[key]
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    def logged(self) -> list[str]:
        """Return what the page has logged and each address it has asked for, but for those that are data."""
        found = [str(event["params"]) for event in self.events if event["method"] in _SAID]
        asked = [event["params"]["request"]["url"] for event in self.events if event["method"] == _ASKED]
        return found + [address for address in asked if not address.startswith("data:")]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            waiting, _, _ = select.select([self.input], [], [], 60)
            assert waiting, "the browser says nothing"
            part = self.input.read(1 << 20)
            assert part, "the browser has ended"
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(message))
