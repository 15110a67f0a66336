"""A client in another language: stubs are generated from proto/ alone, nothing of CODR is imported.

Usage: client.py PROTO_FOLDER ADDRESS SOURCE TARGET_URI
Backs the source up, looks at its points, restores the newest one into the target, meets an error, and prints one
JSON object of what it saw.
"""

import importlib
import json
import sys
import tempfile
import uuid
from pathlib import Path

import grpc
import grpc_tools
from grpc_tools import protoc

proto_folder, address, source, target = sys.argv[1:5]
generated = tempfile.mkdtemp(prefix="codr-stubs-")
protos = sorted(str(path) for path in Path(proto_folder, "codr/v1").glob("*.proto"))
# Google's own protos come with the compiler.
well_known = Path(grpc_tools.__file__).parent / "_proto"
outputs = [f"--python_out={generated}", f"--grpc_python_out={generated}"]
made = protoc.main(["protoc", f"-I{proto_folder}", f"-I{well_known}", *outputs, *protos])
assert made == 0, "the protos compile"
sys.path.insert(0, generated)

common, sources, restores, operations = (
    importlib.import_module(f"codr.v1.{name}_pb2") for name in ("common", "sources", "restores", "operations")
)
channel = grpc.insecure_channel(address)
points = importlib.import_module("codr.v1.sources_pb2_grpc").PointsStub(channel)
work = importlib.import_module("codr.v1.operations_pb2_grpc").OperationsStub(channel)


def carry_out(**request):
    """Creates an operation, watches it to its end, and returns it with the reports it made."""
    key = str(uuid.uuid4())
    order = operations.CreateOperationRequest(idempotency_key=key, **request)
    made = work.Create(order, timeout=30)
    assert work.Create(order, timeout=30).id == made.id, "the same key gives the same operation"
    reports = 0
    for event in work.Watch(operations.WatchOperationRequest(id=made.id)):
        kind = event.WhichOneof("event")
        if kind == "progress":
            reports += 1
        if kind == "changed" and event.changed.state != common.OPERATION_STATE_RUNNING:
            return event.changed, reports
    raise AssertionError("the stream ended before the operation")


backup, backup_reports = carry_out(backup=sources.BackupRequest(source=source))
assert backup.state == common.OPERATION_STATE_DONE, backup.error
listed = points.List(sources.SourceRequest(source=source), timeout=30)
restore, restore_reports = carry_out(
    restore=restores.RestoreRequest(source=source, to=target, include=[f"{source}.*"], drop=True)
)
assert restore.state == common.OPERATION_STATE_DONE, restore.error

try:
    points.List(sources.SourceRequest(source="nobody"), timeout=30)
    raise AssertionError("an unknown source is refused")
except grpc.RpcError as error:
    trailers = dict(error.trailing_metadata())
    rich = common.RichStatus.FromString(trailers["grpc-status-details-bin"])
    detail = common.ErrorDetail()
    assert rich.details[0].Unpack(detail), "the detail is an ErrorDetail"
    refusal = {
        "status": error.code().name,
        "code": detail.code,
        "message": detail.message,
        "remedy": detail.remedy,
        "exitCode": detail.exit_code,
    }

print(
    json.dumps(
        {
            "records": backup.result.backup.records,
            "points": [point.id for point in listed.points],
            "backedUp": backup.result.backup.point.id,
            "reports": [backup_reports, restore_reports],
            "datasets": [
                [getattr(one, "from"), one.to, one.records, one.proven]
                for one in restore.result.restore.datasets
            ],
            "refusal": refusal,
        }
    )
)
