#include "control/backup/backup_file.h"

#include <google/protobuf/io/coded_stream.h>

#include "base/file.h"

namespace orchion::control::backup {

using base::Code;
using base::fail;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

namespace {

constexpr std::string_view kMagic = "orchion-backup 1\n";

// Above what a store takes as one value.
constexpr std::uint32_t kPartBytesMax = 4u << 20;
constexpr int kLengthBytesMax = 5;

std::unexpected<base::Error> damaged() {
  return fail(Code::kDataLoss, "the backup is damaged or was cut off: use another one");
}

}  // namespace

BackupWriter::BackupWriter(const v1::BackupHeader& header) : written_(kMagic) {
  digest_.update(kMagic);
  v1::BackupPart part;
  *part.mutable_header() = header;
  write(part);
}

void BackupWriter::add(std::string key, std::string value) {
  v1::BackupPart part;
  part.mutable_entry()->set_key(std::move(key));
  part.mutable_entry()->set_value(std::move(value));
  write(part);
  ++entries_;
}

void BackupWriter::end() {
  v1::BackupPart part;
  part.mutable_end()->set_entries(entries_);
  part.mutable_end()->set_digest(digest_.finish());
  write(part);
}

std::string BackupWriter::take() {
  return std::exchange(written_, {});
}

void BackupWriter::write(const v1::BackupPart& part) {
  const auto begin = written_.size();
  std::uint8_t length[kLengthBytesMax];
  const auto* const end =
      CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(part.ByteSizeLong()), length);
  written_.append(reinterpret_cast<const char*>(length), static_cast<std::size_t>(end - length));
  part.AppendToString(&written_);
  if (!part.has_end()) digest_.update(std::string_view(written_).substr(begin));
}

base::Result<BackupReader> BackupReader::open(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::fail_errno(errno, "reading " + path.string());
  BackupReader reader(std::move(file));
  std::string magic(kMagic.size(), '\0');
  reader.file_.read(magic.data(), static_cast<std::streamsize>(magic.size()));
  if (magic != kMagic)
    return fail(Code::kInvalidArgument,
                path.string() + " is no backup that this version reads: name a file that `orchion backup` wrote");
  reader.digest_.update(magic);
  ASSIGN_OR_RETURN(auto first, reader.read());
  if (!first.has_header()) return damaged();
  reader.header_ = std::move(*first.mutable_header());
  return reader;
}

base::Result<std::optional<v1::BackupEntry>> BackupReader::next() {
  ASSIGN_OR_RETURN(auto part, read());
  if (part.has_entry()) {
    ++entries_;
    return std::optional(std::move(*part.mutable_entry()));
  }
  if (!part.has_end() || part.end().entries() != entries_ || part.end().digest() != digest_.finish()) return damaged();
  if (file_.peek() != std::ifstream::traits_type::eof()) return damaged();
  return std::optional<v1::BackupEntry>();
}

base::Result<v1::BackupPart> BackupReader::read() {
  std::string bytes;
  do {
    const int byte = file_.get();
    if (byte == std::ifstream::traits_type::eof() || bytes.size() == kLengthBytesMax) return damaged();
    bytes.push_back(static_cast<char>(byte));
  } while ((bytes.back() & '\x80') != 0);
  std::uint32_t length = 0;
  CodedInputStream coded(reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  if (!coded.ReadVarint32(&length) || length > kPartBytesMax) return damaged();
  const auto begin = bytes.size();
  bytes.resize(begin + length);
  file_.read(bytes.data() + begin, length);
  v1::BackupPart part;
  if (!file_ || !part.ParseFromArray(bytes.data() + begin, static_cast<int>(length))) return damaged();
  if (!part.has_end()) digest_.update(bytes);
  return part;
}

}  // namespace orchion::control::backup
