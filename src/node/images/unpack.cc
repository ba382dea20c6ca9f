#include "node/images/unpack.h"

#include "node/images/tree_writer.h"

namespace orchion::node::images {

base::Result<UnpackedLayer> unpack_layer(const std::filesystem::path& blob, const std::filesystem::path& folder,
                                         const ArchiveLimits& limits, ArchiveUsage& usage) {
  const auto before = usage;
  ASSIGN_OR_RETURN(const auto reader, TarReader::open(blob, TarReader::Purpose::kUnpack, limits, usage));
  ASSIGN_OR_RETURN(auto writer, TreeWriter::open(folder));
  const TreeWriter::ReadBlock read = [&reader] { return reader->read_block(); };
  while (true) {
    ASSIGN_OR_RETURN(const auto entry, reader->next());
    if (!entry) break;
    RETURN_IF_ERROR(writer.add(*entry, read));
  }
  RETURN_IF_ERROR(writer.finish());
  ASSIGN_OR_RETURN(auto summary, reader->finish());
  return UnpackedLayer{std::move(summary.packed_digest), std::move(summary.unpacked_digest), reader->compression(),
                       usage.bytes - before.bytes,       usage.entries - before.entries,     summary.has_end_mark};
}

}  // namespace orchion::node::images
