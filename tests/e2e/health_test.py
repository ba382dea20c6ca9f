"""Whether tasks are well, by their images' own checks, and what becomes of those that aren't."""

import unittest

import harness

SECOND = 1_000_000_000
COMPOSE = """
services:
  web:
    image: checked:1
  kept:
    image: checked:1
    restart: "no"
  unchecked:
    image: checked:1
    healthcheck: {disable: true}
  last:
    image: checked:1
    depends_on: {web: {condition: service_healthy}}
"""


class Health(unittest.TestCase):
    def setUp(self):
        self.cluster = harness.Cluster().start()
        self.addCleanup(self.cluster.close)
        harness.web_image(self.cluster, "checked:1", Healthcheck={
            "Test": ["CMD", "/bin/wget", "-qO-", "http://127.0.0.1/"], "Interval": SECOND // 2, "Timeout": 5 * SECOND,
            "Retries": 2})
        file = harness.write(self.cluster.folder, "ill/compose.yaml", COMPOSE)
        self.cluster.ok("up", "-f", file, "--yes")

    def statuses(self):
        return {task["spec"]["service"]: task["status"] for task in self.cluster.tasks("ill")}

    def health(self, service):
        return self.statuses()[service].get("health")

    def test_what_is_unhealthy_is_restarted(self):
        harness.wait_for("the last one's health", lambda: self.health("last") == "HEALTH_GOOD")
        self.assertEqual({s: t["health"] for s, t in self.statuses().items()},
                         {"web": "HEALTH_GOOD", "kept": "HEALTH_GOOD", "last": "HEALTH_GOOD",
                          "unchecked": "NOT_CHECKED"})
        before = self.statuses()
        for service in ("web", "kept", "unchecked"):
            self.cluster.ok("exec", f"ill/{service}", "--", "mv", "/www/index.html", "/www/away")
        harness.wait_for("its restart", lambda: self.statuses()["web"]["attempt"] > 1)
        harness.wait_for("the other's ill health", lambda: self.health("kept") == "HEALTH_BAD")
        table = self.cluster.run("health", "ill")
        self.assertEqual(table.code, 1, table)
        self.assertRegex(table.out, r"(?m)^ill/kept\.1 +unhealthy +exit code 1: wget: server returned error")
        # What it wrote is still there: only its program began anew.
        harness.wait_for("the container", lambda: self.cluster.run(
            "exec", "ill/web", "--", "mv", "/www/away", "/www/index.html").code == 0)
        harness.wait_for("its health", lambda: self.health("web") == "HEALTH_GOOD")
        after = self.statuses()
        self.assertNotEqual(after["web"]["pid"], before["web"]["pid"])
        for service in ("kept", "unchecked", "last"):
            self.assertEqual(after[service]["pid"], before[service]["pid"], service)
        self.assertGreaterEqual(after["web"]["restarts"], 1)
        self.assertRegex(after["web"]["lastEnd"], r"^was unhealthy \(exit code 1: wget: ")
        events = [event["message"] for event in self.cluster.json("events")["events"]
                  if event["reason"] == "TaskRestarted"]
        self.assertRegex(events[0], r"^web\.1 was unhealthy \(exit code 1: wget: .*\); started again, once so far$")


if __name__ == "__main__":
    harness.main()
