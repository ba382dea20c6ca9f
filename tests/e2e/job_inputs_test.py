"""What runs of jobs are given and wait for: files, secrets, places in queues; and jobs made on the spot."""

import json
import os
import pathlib
import unittest

import harness

SECRET = "hunter2-5f0c"
COMPOSE = """
name: shop
x-orchion:
  queues:
    gpu: {slots: 2}
  jobs:
    left:
      image: busybox-test:latest
      command: [sleep, "0.4"]
      queue: gpu
    right:
      image: busybox-test:latest
      command: [sleep, "0.4"]
      queue: gpu
    encode:
      image: busybox-test:latest
      command: [sh, -c, "cat /in/video.mov; cat /notes/a /notes/deep/b 2>/dev/null; touch /in/video.mov || echo read-only"]
      inputs:
        video: /in/video.mov
        notes: {path: /notes, optional: true}
    twice:
      image: busybox-test:latest
      command: [sh, -c, "cat /in/film; test -e /seen/again || { touch /seen/again; exit 7; }"]
      volumes: ["seen:/seen"]
      inputs: {film: /in/film}
      retries: 1
      backoff: 100ms
    publish:
      image: busybox-test:latest
      command: [sh, -c, "test $${#TOKEN} -eq LENGTH"]
      parameters: {TOKEN: {secret: true}, WHERE: here}
    blab:
      image: busybox-test:latest
      command: [sh, -c, "echo the number is $$NUMBER; exit 3"]
      parameters: {NUMBER: {secret: true}}
volumes:
  seen:
"""


def files_below(folder):
    for place, _, names in os.walk(folder):
        for name in names:
            path = pathlib.Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


class JobInputs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        harness.busybox_image(cls.cluster, "busybox-test:latest")
        cls.file = harness.write(cls.cluster.folder / "shop", "compose.yaml", COMPOSE.replace("LENGTH", str(len(SECRET))))
        cls.cluster.ok("up", "-f", cls.file, "--yes")
        cls.film = cls.cluster.folder / "trip.mov"
        cls.film.write_text("a film\n")
        cls.film.chmod(0o600)

    def job(self, *arguments, **options):
        return self.cluster.run("job", *arguments, **options)

    def runs(self, job):
        return json.loads(self.cluster.ok("job", "history", f"shop/{job}", "-o", "json"))["runs"]

    def test_a_queue_of_two(self):
        for _ in range(3):
            self.cluster.ok("job", "run", "shop/left")
            self.cluster.ok("job", "run", "shop/right")
        row = self.cluster.ok("job", "queues", "-o", "wide").splitlines()
        self.assertRegex(row[0], "QUEUE +SLOTS +AT WORK +WAITING +NEXT +JOBS +PLACEMENT")
        self.assertRegex(row[1], r"shop/gpu +2 +[012] +\d+ +((left|right)\.\d|-) +2 +least-loaded")
        self.assertRegex(self.cluster.ok("job", "ls", "-o", "wide"), r"shop/left .* gpu ")

        def ended():
            runs = self.runs("left") + self.runs("right")
            return len(runs) == 6 and all(run["status"]["state"] == "RUN_SUCCEEDED" for run in runs) and runs
        runs = harness.wait_for("all six", ended)
        times = [(run["status"]["startedAt"], run["status"]["finishedAt"]) for run in runs]
        for start, _ in times:
            self.assertLessEqual(sum(s <= start < e for s, e in times), 2, "never more than two at once")
        starts = sorted((run["status"]["startedAt"], run["spec"]["job"]) for run in runs)
        self.assertEqual({job for _, job in starts[:2]}, {"left", "right"}, "fair between the two")

    def test_a_file_and_a_folder(self):
        notes = self.cluster.folder / "notes"
        (notes / "deep").mkdir(parents=True)
        (notes / "a").write_text("one\n")
        (notes / "deep/b").write_text("two\n")
        out = self.job("run", "shop/encode", "--input", f"video={self.film}", "--input", f"notes={notes}", "--follow")
        self.assertEqual((out.code, out.out), (0, "a film\none\ntwo\nread-only\n"), out)
        run = self.runs("encode")[0]
        self.assertRegex(run["spec"]["inputs"]["video"], "^sha256:[0-9a-f]{64}$")
        # The same again, from what the server kept.
        self.film.rename(self.film.with_suffix(".away"))
        try:
            out = self.job("retry", f"shop/{run['meta']['name']}", "--follow")
            self.assertEqual((out.code, out.out), (0, "a film\none\ntwo\nread-only\n"), out)
        finally:
            self.film.with_suffix(".away").rename(self.film)

    def test_a_retry_gets_it_too(self):
        out = self.job("run", "shop/twice", "--input", f"film={self.film}", "--wait")
        self.assertEqual(out.code, 0, out)
        run = self.runs("twice")[0]
        self.assertEqual((run["status"]["succeeded"], run["status"]["failed"]), (1, 1))
        self.assertEqual(self.cluster.ok("job", "logs", f"shop/{run['meta']['name']}").count("a film"), 2)

    def test_what_is_missing_is_said(self):
        out = self.job("run", "shop/encode")
        self.assertEqual(out.code, 1, out)
        self.assertIn("the job encode needs its input video: say --input video=FILE", out.err)
        out = self.job("run", "shop/encode", "--input", "video=/nowhere/trip.mov")
        self.assertEqual(out.code, 3, out)
        self.assertIn("there is no /nowhere/trip.mov on this machine", out.err)
        out = self.job("run", "shop/encode", "--input", f"film={self.film}")
        self.assertIn("has no input \"film\": it takes video, notes", out.err)
        status, _, body = self.cluster.request("POST", "/v1/stacks/shop/jobs/encode/runs", body={
            "inputs": {"video": "sha256:" + "0" * 64}})
        self.assertEqual(status, 409, body)
        self.assertIn("upload it again", body)

    def test_a_secret_in_the_last_lines_is_blotted_out(self):
        out = self.job("run", "shop/blab", "--param", "NUMBER=-", "--wait", stdin=SECRET[::-1])
        self.assertEqual(out.code, 3, out)
        self.assertIn("the number is <redacted>", out.err)
        for path in ("/v1/tasks?all=true", "/v1/events", "/v1/runs"):
            self.assertNotIn(SECRET[::-1], self.cluster.request("GET", path)[2], path)

    def test_secrets_are_seen_by_the_task_alone(self):
        token = self.cluster.folder / "token"
        token.write_text(SECRET + "\n")
        out = self.job("run", "shop/publish", "--param", f"TOKEN={SECRET}")
        self.assertEqual(out.code, 2, out)
        self.assertIn("TOKEN is secret", out.err)
        out = self.job("run", "shop/publish", "--param", f"TOKEN=@{token}", "--param", "WHERE=@there", "--wait")
        self.assertEqual(out.code, 0, out)
        self.assertEqual(self.runs("publish")[0]["spec"]["parameters"]["WHERE"], "@there", "not special elsewhere")
        out = self.job("run", "shop/publish", "--param", "TOKEN=-", "--wait", stdin=SECRET)
        self.assertEqual(out.code, 0, out)
        newest = self.runs("publish")[0]["meta"]["name"]
        out = self.job("retry", f"shop/{newest}", "--wait")
        self.assertEqual(out.code, 0, out)
        self.assertIn("needs its secret parameter TOKEN", self.job("run", "shop/publish").err)
        for path in ("/v1/runs", f"/v1/stacks/shop/runs/{newest}", "/v1/jobs", "/v1/tasks?all=true", "/v1/events",
                     "/v1/stacks/shop", "/v1/revisions"):
            self.assertNotIn(SECRET, self.cluster.request("GET", path)[2], path)
        self.assertIn("<redacted>", self.cluster.ok("job", "inspect", f"shop/{newest}"))
        # It stands where the run is kept and where its task is, which nobody else may read.
        holders = [path for path in files_below(self.cluster.data) if SECRET.encode() in path.read_bytes()]
        for path in holders:
            place = path.relative_to(self.cluster.data)
            self.assertTrue(place.name.startswith("state.db") or place.parts[:2] == ("agent", "tasks"), place)
            self.assertEqual(path.stat().st_mode & 0o077, 0, place)

    def test_an_image_as_a_job(self):
        out = self.job("run", "--image", "busybox-test:latest", "--stack", "shop", "-e", "WHOM=you", "spot", "--follow",
                       "--", "sh", "-c", "echo hello $WHOM; exit 5")
        self.assertEqual((out.code, out.out), (5, "hello you\n"), out)
        again = self.job("run", "--image", "busybox-test:latest", "shop/spot", "--", "true")
        self.assertEqual(again.code, 5, again)
        self.assertIn("`orchion job run shop/spot` runs it again", again.err)
        self.assertEqual(self.job("run", "shop/spot", "--wait").code, 5)
        # A file that is applied again leaves it alone.
        self.cluster.ok("up", "-f", self.file, "--yes")
        self.assertEqual(len(self.runs("spot")), 2)
        self.cluster.ok("job", "rm", "shop/spot", "--yes")
        harness.wait_for("its end", lambda: "shop/spot" not in self.cluster.ok("job", "ls"))
        refused = self.job("run", "shop/left", "-e", "A=1")
        self.assertEqual(refused.code, 2, refused)
        self.assertIn("-e goes with --image alone", refused.err)

    def test_names_are_offered(self):
        words = self.cluster.ok("__complete", "job", "run", "--stack", "shop", "enc")
        self.assertIn("encode", words)
        self.cluster.ok("job", "run", "shop/left", "--wait")
        self.assertRegex(self.cluster.ok("__complete", "job", "logs", "shop/left."), r"shop/left\.\d")


class Ends(unittest.TestCase):
    def test_nothing_is_left_of_inputs(self):
        cluster = harness.Cluster().start()
        self.addCleanup(cluster.close)
        harness.busybox_image(cluster, "busybox-test:latest")
        file = harness.write(cluster.folder / "shop", "compose.yaml", COMPOSE)
        before = harness.host_state(cluster)
        cluster.ok("up", "-f", file, "--yes")
        film = cluster.folder / "trip.mov"
        film.write_text("a film\n")
        cluster.ok("job", "run", "shop/encode", "--input", f"video={film}", "--wait")
        self.assertTrue(list(files_below(cluster.data / "agent/inputs")))
        cluster.ok("down", "-f", file, "--volumes", "--yes")
        self.assertEqual(list(files_below(cluster.data / "agent/inputs")), [])
        self.assertEqual(len(list(files_below(cluster.data / "inputs"))), 1, "kept for an hour")
        self.assertEqual(harness.host_state(cluster), before)


if __name__ == "__main__":
    harness.main()
