"""The API from outside: REST by curl, refusals, ETags."""

import json
import pathlib
import stat
import subprocess
import unittest

import harness


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)

    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "--max-time", "10", *arguments], capture_output=True, text=True)

    def test_refuses_without_a_token(self):
        for path in ("/v1/stacks", "/v1/tasks", "/v1/nodes", "/v1/server", "/v1/watch", "/v1/images"):
            status, headers, body = self.cluster.request("GET", path, token=False)
            self.assertEqual(status, 401, path)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertTrue(json.loads(body)["detail"])
        status, _, _ = self.cluster.request("GET", "/v1/stacks", token=False,
                                            headers={"Authorization": "Bearer orc_wrong"})
        self.assertEqual(status, 401)

    def test_health_needs_no_token(self):
        for path in ("/livez", "/readyz"):
            self.assertEqual(self.cluster.request("GET", path, token=False)[0], 200)

    def test_the_unix_socket_and_files_are_private(self):
        self.assertEqual(stat.S_IMODE((self.cluster.data).stat().st_mode), 0o700)
        self.assertEqual(stat.S_IMODE((self.cluster.data / "orchion.sock").stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE((self.cluster.data / "admin-token").stat().st_mode), 0o600)
        token = self.cluster.token()
        self.assertNotIn(token, self.cluster.log.read_text())
        for file in self.cluster.data.glob("*.db*"):
            self.assertNotIn(token.encode(), file.read_bytes(), "only the token's hash is stored")
        answer = self.curl("--unix-socket", str(self.cluster.data / "orchion.sock"), "-H",
                           f"Authorization: Bearer {token}", "http://localhost/v1/server")
        self.assertIn("clusterId", json.loads(answer.stdout))

    def test_another_host_is_refused(self):
        status, _, _ = self.cluster.request("GET", "/v1/stacks", headers={"Host": "evil.example"})
        self.assertIn(status, (400, 403, 421))
        status, _, _ = self.cluster.request("PUT", "/v1/stacks/x", body={"spec": {}},
                                            headers={"Origin": "http://evil.example"})
        self.assertEqual(status, 403)

    def test_etag_and_if_match(self):
        status, headers, _ = self.cluster.request("PUT", "/v1/stacks/etag", body={"spec": {"volumes": [{"name": "a"}]}})
        self.assertEqual(status, 200)
        status, headers, body = self.cluster.request("GET", "/v1/stacks/etag")
        etag = headers["ETag"]
        self.assertEqual(etag, f'"{json.loads(body)["meta"]["revision"]}"')
        changed = {"spec": {"volumes": [{"name": "a"}, {"name": "b"}]}}
        self.assertEqual(self.cluster.request("PUT", "/v1/stacks/etag", body=changed, headers={"If-Match": etag})[0], 200)
        stale = self.cluster.request("PUT", "/v1/stacks/etag", body=changed, headers={"If-Match": etag})
        self.assertEqual(stale[0], 412)
        self.assertEqual(self.cluster.request("DELETE", "/v1/stacks/etag")[0], 200)

    def test_problems_name_each_field(self):
        bad = {"spec": {"services": [{"name": "Not A Name", "spec": {"container": {"image": ""}}}]}}
        status, _, body = self.cluster.request("PUT", "/v1/stacks/problem", body=bad)
        self.assertEqual(status, 400)
        problem = json.loads(body)
        self.assertEqual(problem["status"], 400)
        self.assertTrue(any("/spec/services/0/name" in e["pointer"] for e in problem["errors"]), problem)

    def test_unknown_routes_fields_and_verbs(self):
        self.assertEqual(self.cluster.request("GET", "/v1/nothing")[0], 404)
        self.assertEqual(self.cluster.request("GET", "/v1/stacks/none")[0], 404)
        self.assertEqual(self.cluster.request("PATCH", "/v1/stacks")[0], 405)
        status, _, body = self.cluster.request("PUT", "/v1/stacks/x", body={"spec": {}, "colour": "red"})
        self.assertEqual(status, 400)
        self.assertIn("colour", body)

    def test_pages(self):
        for name in ("page-a", "page-b", "page-c"):
            self.cluster.request("PUT", f"/v1/stacks/{name}", body={"spec": {}})
            self.addCleanup(self.cluster.request, "DELETE", f"/v1/stacks/{name}")
        seen, token = [], ""
        while True:
            page = json.loads(self.cluster.request("GET", f"/v1/stacks?pageSize=2&pageToken={token}")[2])
            self.assertLessEqual(len(page["stacks"]), 2)
            seen += [s["meta"]["name"] for s in page["stacks"]]
            token = page["nextPageToken"]
            if not token:
                break
        self.assertEqual([n for n in seen if n.startswith("page-")], ["page-a", "page-b", "page-c"])


if __name__ == "__main__":
    harness.main()
