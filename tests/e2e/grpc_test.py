"""The API over gRPC, by a client that is not ours: Debian's python3-grpcio, with messages made by protoc."""

import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import grpc
from google.protobuf import descriptor_pb2, empty_pb2

import harness

harness.enter()

# protoc's modules, out of the contract. The reflection service's from its own folder: a package "grpc" would hide
# grpc's own.
GENERATED = tempfile.TemporaryDirectory(prefix="orchion-grpc-")
API = harness.ROOT / "api"
for root, pattern in ((API, "v1/*.proto"), (API / "grpc", "*.proto"), (API, "google/rpc/*.proto")):
    subprocess.run(["protoc", f"-I{root}", f"-I{API}", f"--python_out={GENERATED.name}",
                    *map(str, sorted(root.glob(pattern)))], check=True)
sys.path.insert(0, GENERATED.name)
import google  # noqa: E402
google.__path__.append(str(pathlib.Path(GENERATED.name) / "google"))
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from v1 import control_pb2, objects_pb2, watch_pb2  # noqa: E402
import health_pb2  # noqa: E402
import reflection_pb2  # noqa: E402

RESPONSES = {"GetStack": objects_pb2.Stack, "DeleteStack": objects_pb2.Stack, "GetServer": control_pb2.ServerInfo,
             "CreateService": objects_pb2.Service, "GetService": objects_pb2.Service}


class Grpc(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = harness.Cluster().start()
        cls.addClassCleanup(cls.cluster.close)
        cls.channel = grpc.insecure_channel("127.0.0.1:4601")
        cls.addClassCleanup(lambda: cls.channel.close())
        cls.token = (("authorization", f"Bearer {cls.cluster.token()}"),)

    def call(self, service, method, request, metadata=None):
        response = RESPONSES.get(method) or getattr(control_pb2, f"{method}Response")
        call = self.channel.unary_unary(f"/orchion.v1.{service}/{method}",
                                        request_serializer=lambda m: m.SerializeToString(),
                                        response_deserializer=response.FromString)
        return call(request, metadata=self.token if metadata is None else metadata, timeout=10)

    def refusal(self, *arguments, **options):
        with self.assertRaises(grpc.RpcError) as caught:
            self.call(*arguments, **options)
        return caught.exception

    def apply(self, name, *images):
        request = control_pb2.ApplyStackRequest(name=name)
        for i, image in enumerate(images):
            service = request.spec.services.add(name=f"s{i}")
            service.spec.container.image = image
            service.spec.replicas = 0
        return request

    def reflect(self, **request):
        stream = self.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                            request_serializer=lambda m: m.SerializeToString(),
                                            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
        return next(stream(iter([reflection_pb2.ServerReflectionRequest(**request)]), metadata=self.token, timeout=10))

    def test_reflection_lists_every_service_of_the_contract(self):
        listed = {s.name for s in self.reflect(list_services="").list_services_response.service}
        contract = {f"orchion.v1.{name}" for module in (control_pb2, watch_pb2)
                    for name in module.DESCRIPTOR.services_by_name}
        self.assertLessEqual(contract | {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}, listed)
        files = self.reflect(file_containing_symbol="orchion.v1.StackService").file_descriptor_response
        self.assertTrue(any(b"ApplyStackRequest" in file for file in files.file_descriptor_proto))

    def methods(self):
        """Every rpc of ours that the server serves, by what reflection says: "/orchion.v1.SERVICE/RPC"."""
        for listed in self.reflect(list_services="").list_services_response.service:
            if not listed.name.startswith("orchion."):
                continue
            files = self.reflect(file_containing_symbol=listed.name).file_descriptor_response.file_descriptor_proto
            parsed = [descriptor_pb2.FileDescriptorProto.FromString(file) for file in files]
            yield from (f"/{listed.name}/{rpc.name}" for file in parsed for service in file.service
                        if f"{file.package}.{service.name}" == listed.name for rpc in service.method)

    def test_every_rpc_that_reflection_lists_needs_a_token(self):
        listed = set(self.methods())
        contract = {f"/orchion.v1.{name}/{rpc.name}" for module in (control_pb2, watch_pb2)
                    for name, service in module.DESCRIPTOR.services_by_name.items() for rpc in service.methods}
        self.assertLessEqual(contract, listed)
        for method in sorted(listed):
            # An empty message is one of any type, and a stream of one is what a unary call is on the wire.
            call = self.channel.stream_stream(method)
            for metadata in ((), (("authorization", "Bearer orc_wrong"),)):
                with self.subTest(method, metadata=metadata), self.assertRaises(grpc.RpcError) as caught:
                    list(call(iter([b""]), metadata=metadata, timeout=10))
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED, method)

    def test_health_needs_no_token(self):
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check",
                                         request_serializer=lambda m: m.SerializeToString(),
                                         response_deserializer=health_pb2.HealthCheckResponse.FromString)
        self.assertEqual(check(health_pb2.HealthCheckRequest(), timeout=10).status,
                         health_pb2.HealthCheckResponse.SERVING)

    def test_no_token_is_refused(self):
        for metadata in ((), (("authorization", "Bearer orc_wrong"),)):
            for service, method, request in (
                    ("StackService", "ListStacks", control_pb2.ListStacksRequest()),
                    ("StackService", "ApplyStack", self.apply("no", "busybox")),
                    ("ServerService", "GetServer", empty_pb2.Empty())):
                self.assertEqual(self.refusal(service, method, request, metadata=metadata).code(),
                                 grpc.StatusCode.UNAUTHENTICATED)

    def test_create_get_list_delete(self):
        applied = self.call("StackService", "ApplyStack", self.apply("made", "busybox"))
        self.addCleanup(self.call, "StackService", "DeleteStack", control_pb2.DeleteStackRequest(name="made"))
        self.assertEqual(applied.plan.changes[0].action, control_pb2.Change.CREATE)
        created = control_pb2.CreateServiceRequest(stack="made", name="more")
        created.spec.container.image = "busybox"
        created.spec.replicas = 0
        self.assertEqual(self.call("ServiceService", "CreateService", created).meta.name, "more")
        stack = self.call("StackService", "GetStack", control_pb2.GetStackRequest(name="made"))
        self.assertEqual([s.name for s in stack.spec.services], ["s0", "more"])
        listed = self.call("StackService", "ListStacks", control_pb2.ListStacksRequest())
        self.assertIn("made", [s.meta.name for s in listed.stacks])
        self.assertEqual(self.call("ServerService", "GetServer", empty_pb2.Empty()).cluster_id,
                         self.cluster.info()["clusterId"], "REST and gRPC are one server")

    def test_watch(self):
        watch = self.channel.unary_stream("/orchion.v1.WatchService/Watch",
                                          request_serializer=lambda m: m.SerializeToString(),
                                          response_deserializer=watch_pb2.WatchEvent.FromString)
        events = watch(watch_pb2.WatchRequest(kinds=["Stack"]), metadata=self.token, timeout=20)
        self.addCleanup(events.cancel)
        while next(events).type != watch_pb2.WatchEvent.SYNCED:
            pass
        self.call("StackService", "ApplyStack", self.apply("watched"))
        # Stacks of the other tests may still be on their way out.
        watched = (event for event in events if event.stack.meta.name == "watched")
        event = next(watched)
        self.assertEqual((event.type, event.kind), (watch_pb2.WatchEvent.PUT, "Stack"))
        self.call("StackService", "DeleteStack", control_pb2.DeleteStackRequest(name="watched"))
        while event.type != watch_pb2.WatchEvent.REMOVED:
            event = next(watched)

    def test_errors_have_canonical_codes(self):
        none = self.refusal("StackService", "GetStack", control_pb2.GetStackRequest(name="none"))
        self.assertEqual(none.code(), grpc.StatusCode.NOT_FOUND)
        self.assertIn("orchion stack ls", none.details())
        self.call("StackService", "ApplyStack", self.apply("codes", "busybox"))
        self.addCleanup(self.call, "StackService", "DeleteStack", control_pb2.DeleteStackRequest(name="codes"))
        stale = self.apply("codes", "busybox:2")
        stale.base_revision = 1
        self.assertEqual(self.refusal("StackService", "ApplyStack", stale).code(), grpc.StatusCode.ABORTED)
        twice = control_pb2.CreateServiceRequest(stack="codes", name="s0")
        twice.spec.container.image = "busybox"
        self.assertEqual(self.refusal("ServiceService", "CreateService", twice).code(), grpc.StatusCode.ALREADY_EXISTS)
        unknown = self.channel.unary_unary("/orchion.v1.StackService/Nothing")
        with self.assertRaises(grpc.RpcError) as caught:
            unknown(b"", metadata=self.token, timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_refusals_name_the_fields_that_rest_names(self):
        request = self.apply("fields", "", "busybox")
        request.spec.services[1].name = "Not A Name"
        refused = self.refusal("StackService", "ApplyStack", request)
        self.assertEqual(refused.code(), grpc.StatusCode.INVALID_ARGUMENT)
        details = dict(refused.trailing_metadata())["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(details)
        self.assertEqual((status.code, status.message), (3, refused.details()))
        wrong = error_details_pb2.BadRequest()
        self.assertTrue(status.details[0].Unpack(wrong))
        over_grpc = {(v.field, v.description) for v in wrong.field_violations}
        body = {"spec": {"services": [
            {"name": "s0", "spec": {"container": {"image": ""}, "replicas": 0}},
            {"name": "Not A Name", "spec": {"container": {"image": "busybox"}, "replicas": 0}}]}}
        code, problem = harness.problem(self.cluster, "PUT", "/v1/stacks/fields", body)
        self.assertEqual(code, 400)
        self.assertEqual(over_grpc, {(e["pointer"], e["detail"]) for e in problem["errors"]})
        self.assertEqual({field for field, _ in over_grpc},
                         {"/spec/services/0/spec/container/image", "/spec/services/1/name"})

    def test_an_idempotency_key_is_remembered_over_a_crash(self):
        request = control_pb2.CreateServiceRequest(stack="once", name="web")
        request.spec.container.image = "busybox"
        request.spec.replicas = 0
        keyed = self.token + (("idempotency-key", "k-1"),)
        first = self.call("ServiceService", "CreateService", request, metadata=keyed)
        self.addCleanup(self.call, "StackService", "DeleteStack", control_pb2.DeleteStackRequest(name="once"))
        self.cluster.stop(signal.SIGKILL)
        self.cluster.start()
        self.channel.close()
        type(self).channel = grpc.insecure_channel("127.0.0.1:4601")
        second = self.call("ServiceService", "CreateService", request, metadata=keyed)
        self.assertEqual(second, first)
        self.assertEqual(self.refusal("ServiceService", "CreateService", request).code(),
                         grpc.StatusCode.ALREADY_EXISTS, "without the key it is another call")
        status, _ = harness.problem(self.cluster, "POST", "/v1/stacks/once/services",
                                    {"name": "other", "spec": {"container": {"image": "busybox"}}},
                                    headers={"Idempotency-Key": "k-1"})
        self.assertEqual(status, 409, "the key belongs to another request")


if __name__ == "__main__":
    harness.main()
