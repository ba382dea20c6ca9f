#include "control/services/backup_service.h"

#include "control/auth/shared_identity.h"
#include "control/backup/backup_file.h"
#include "core/timestamps.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

namespace {

constexpr std::size_t kPieceBytes = 256u << 10;

using Stream = core::TypedStream<v1::BackUpRequest, v1::FilePiece>;

base::Co<> send_what_is_written(backup::BackupWriter* writer, Stream to) {
  v1::FilePiece piece;
  piece.set_data(writer->take());
  return to.send(std::move(piece));
}

base::Co<> back_up(ServiceContext context, std::filesystem::path data_folder, std::string version, Stream stream) {
  CO_RETURN_IF_ERROR(co_await stream.receive());
  v1::BackupHeader header;
  CO_ASSIGN_OR_RETURN(*header.mutable_identity(), auth::read_identity(data_folder));
  header.set_version(std::move(version));
  *header.mutable_created_at() = core::to_timestamp(context.clock.wall());
  CO_ASSIGN_OR_RETURN(auto snapshot, co_await context.objects.list(""));
  auto bookmark = context.objects.bookmark();
  bookmark.revision = snapshot.revision;
  header.set_bookmark(bookmark.text());
  backup::BackupWriter writer(header);
  for (auto& entry : snapshot.entries) {
    writer.add(std::move(entry.key), std::move(entry.value));
    if (writer.size() >= kPieceBytes) CO_RETURN_IF_ERROR(co_await send_what_is_written(&writer, stream));
  }
  writer.end();
  co_return co_await send_what_is_written(&writer, stream);
}

}  // namespace

void add_backup_service(core::MethodTable& table, ServiceContext context, std::filesystem::path data_folder,
                        std::string version) {
  table.stream<v1::BackUpRequest, v1::FilePiece>("orchion.v1.ServerService.BackUp",
                                                 [context, data_folder, version](core::CallContext, Stream stream) {
                                                   return back_up(context, data_folder, version, std::move(stream));
                                                 });
}

}  // namespace orchion::control::services
