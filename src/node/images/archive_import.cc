#include "node/images/archive_import.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "base/file.h"
#include "core/image_reference.h"
#include "node/images/digest.h"
#include "node/images/disk_error.h"
#include "node/images/image_builder.h"

namespace orchion::node::images {

namespace fs = std::filesystem;

namespace {

enum class Kind { kRootFileSystem, kDockerArchive, kOciLayout };

constexpr std::string_view kBlobs = "blobs/sha256/";

std::unexpected<base::Error> refuse(std::string message) {
  return base::fail(base::Code::kInvalidArgument, std::move(message));
}

// "./a/../b" → "b", as names inside the archive only: they are never names of files here.
std::string inner_name(std::string_view path) {
  auto text = fs::path(path).lexically_normal().string();
  while (text.starts_with("../")) text.erase(0, 3);
  while (text.starts_with('/')) text.erase(0, 1);
  if (text.ends_with('/')) text.pop_back();
  return text;
}

// What only a root file system has at its top: it decides without reading all names.
bool is_root_folder(std::string_view name) {
  constexpr std::string_view kTops[] = {"bin",  "dev", "etc",  "home", "lib", "lib64", "opt", "proc",
                                        "root", "run", "sbin", "srv",  "sys", "tmp",   "usr", "var"};
  return std::find(std::begin(kTops), std::end(kTops), name.substr(0, name.find('/'))) != std::end(kTops);
}

base::Result<Kind> detect(const fs::path& archive, const ArchiveLimits& limits) {
  ArchiveUsage usage;
  ASSIGN_OR_RETURN(const auto reader, TarReader::open(archive, TarReader::Purpose::kList, limits, usage));
  std::set<std::string> tops;
  while (true) {
    ASSIGN_OR_RETURN(const auto entry, reader->next());
    if (!entry) break;
    const auto name = inner_name(entry->path);
    if (is_root_folder(name)) return Kind::kRootFileSystem;
    if (entry->type == EntryType::kFile && (name == "oci-layout" || name == "index.json" || name == "manifest.json"))
      tops.insert(name);
  }
  if (tops.contains("oci-layout") && tops.contains("index.json")) return Kind::kOciLayout;
  if (tops.contains("manifest.json")) return Kind::kDockerArchive;
  return Kind::kRootFileSystem;
}

base::Result<> copy_data(TarReader& reader, const fs::path& path) {
  const base::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail_disk(errno, fmt::format("cannot create {}", path.string()));
  while (true) {
    ASSIGN_OR_RETURN(auto block, reader.read_block());
    if (!block) return {};
    while (!block->bytes.empty()) {
      const auto n = ::pwrite(fd.get(), block->bytes.data(), block->bytes.size(), block->offset);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_disk(errno, fmt::format("cannot write {}", path.string()));
      block->bytes.remove_prefix(static_cast<std::size_t>(n));
      block->offset += n;
    }
  }
}

// Every file of the archive into `folder`, under numbers for names.
base::Result<ArchiveFiles> extract(const fs::path& archive, const fs::path& folder, const ArchiveLimits& limits) {
  ArchiveUsage usage;
  ASSIGN_OR_RETURN(const auto reader, TarReader::open(archive, TarReader::Purpose::kUnpack, limits, usage));
  ArchiveFiles files;
  std::map<std::string, std::string> links;
  while (true) {
    ASSIGN_OR_RETURN(const auto entry, reader->next());
    if (!entry) break;
    const auto name = inner_name(entry->path);
    if (entry->type == EntryType::kSymlink)
      links[name] = inner_name((fs::path(name).parent_path() / entry->link_target).string());
    if (entry->type == EntryType::kHardlink) links[name] = inner_name(entry->link_target);
    if (entry->type != EntryType::kFile) continue;
    const auto path = folder / std::to_string(files.size());
    RETURN_IF_ERROR(copy_data(*reader, path));
    if (!files.emplace(name, path).second) return refuse(fmt::format("the archive holds {} twice", in_quotes(name)));
  }
  // Docker wrote a layer used twice as a link to the first.
  for (const auto& [name, target] : links) {
    if (const auto found = files.find(target); found != files.end()) files.emplace(name, found->second);
  }
  return files;
}

base::Result<fs::path> require(const ArchiveFiles& files, const std::string& name) {
  const auto found = files.find(name);
  if (found == files.end())
    return refuse(fmt::format("the archive lacks {}, which it refers to: make or fetch it again", in_quotes(name)));
  return found->second;
}

base::Result<std::string> read_document(const ArchiveFiles& files, const std::string& name) {
  ASSIGN_OR_RETURN(const auto path, require(files, name));
  return base::read_file(path, kDocumentBytesMax);
}

base::Result<std::string> read_by_digest(const ArchiveFiles& files, const std::string& digest) {
  ASSIGN_OR_RETURN(auto text, read_document(files, digest));
  if (const auto real = digest_of(text); real != digest)
    return base::fail(base::Code::kDataLoss,
                      fmt::format("the image is damaged: {} is really {}; make or fetch it again", digest, real));
  return text;
}

// What the archive calls the image, where that is a whole name and not just a tag.
base::Result<std::string> choose_name(const std::string& given, const std::string& own) {
  if (!given.empty()) return given;
  if (own.find_first_of(":/") == std::string::npos)
    return refuse("the archive does not say what the image is called: give it a name");
  return core::normalise_image(own);
}

bool names(const std::string& own, const std::string& reference) {
  const auto normalised = core::normalise_image(own);
  return normalised && *normalised == reference;
}

base::Result<ImageRecord> import_root_file_system(std::shared_ptr<ContentStore> store, const fs::path& archive,
                                                  const std::string& reference, const ImportOptions& options) {
  if (reference.empty()) return refuse("a root file system does not say what it is called: give the image a name");
  ImageBuilder builder(std::move(store), options.limits);
  RETURN_IF_ERROR(builder.add_layer({.file = archive, .must_be_whole = true}));
  return builder.commit_without_manifest(reference, "", options.architecture);
}

base::Result<DockerArchiveImage> choose_image(const std::vector<DockerArchiveImage>& images,
                                              const std::string& reference) {
  if (images.empty()) return refuse("the archive holds no image");
  if (images.size() == 1) return images.front();
  std::string all;
  for (const auto& image : images) {
    for (const auto& tag : image.tags) {
      if (!reference.empty() && names(tag, reference)) return image;
      all += (all.empty() ? "" : ", ") + tag;
    }
  }
  return refuse(fmt::format("the archive holds several images ({}): name one of them", all));
}

base::Result<ImageRecord> import_docker_archive(std::shared_ptr<ContentStore> store, const ArchiveFiles& files,
                                                const std::string& reference, const ImportOptions& options) {
  ASSIGN_OR_RETURN(const auto list, read_document(files, "manifest.json"));
  ASSIGN_OR_RETURN(const auto images, parse_docker_archive(list));
  ASSIGN_OR_RETURN(const auto image, choose_image(images, reference));
  ASSIGN_OR_RETURN(const auto name, choose_name(reference, image.tags.empty() ? "" : image.tags.front()));
  ASSIGN_OR_RETURN(const auto config, read_document(files, inner_name(image.config)));
  // The configuration is named by its hash: "HEX.json", or "blobs/sha256/HEX".
  if (const auto stem = fs::path(image.config).stem().string();
      is_hex_sha256(stem) && "sha256:" + stem != digest_of(config))
    return base::fail(base::Code::kDataLoss, fmt::format("the image is damaged: {} is not what its name says; make or "
                                                         "fetch it again",
                                                         in_quotes(image.config)));
  ASSIGN_OR_RETURN(const auto document, parse_config(config));
  RETURN_IF_ERROR(check_architecture(document, options.architecture));
  if (document.diff_ids.size() != image.layers.size())
    return refuse("the archive's configuration and its list of layers differ: make or fetch it again");
  ImageBuilder builder(std::move(store), options.limits);
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    ASSIGN_OR_RETURN(const auto file, require(files, inner_name(image.layers[i])));
    RETURN_IF_ERROR(builder.add_layer({.file = file, .digest = "", .diff_id = document.diff_ids[i]}));
  }
  return builder.commit_without_manifest(name, config, options.architecture);
}

// From an index down to a manifest, through indexes of platforms.
base::Result<std::string> resolve_manifest(const ArchiveFiles& files, std::string digest,
                                           const std::string& architecture) {
  constexpr int kNestedMax = 4;
  for (int depth = 0; depth < kNestedMax; ++depth) {
    ASSIGN_OR_RETURN(auto text, read_by_digest(files, digest));
    const auto nested = parse_index(text);
    if (!nested) return text;
    ASSIGN_OR_RETURN(const auto chosen, choose_platform(*nested, architecture));
    digest = chosen.manifest.digest;
  }
  return refuse("the archive's indexes are nested too deeply");
}

base::Result<IndexEntry> choose_entry(const std::vector<IndexEntry>& entries, const std::string& reference,
                                      const std::string& architecture) {
  std::string all;
  for (const auto& entry : entries) {
    if (!reference.empty() && names(entry.name, reference)) return entry;
    if (entry.architecture.empty()) all += (all.empty() ? "" : ", ") + entry.name;
  }
  if (entries.size() > 1 && !all.empty())
    return refuse(fmt::format("the archive holds several images ({}): name one of them", all));
  return choose_platform(entries, architecture);
}

base::Result<ImageRecord> import_oci_layout(std::shared_ptr<ContentStore> store, const ArchiveFiles& files,
                                            const std::string& reference, const ImportOptions& options) {
  ASSIGN_OR_RETURN(const auto index, read_document(files, "index.json"));
  ASSIGN_OR_RETURN(const auto entries, parse_index(index));
  ASSIGN_OR_RETURN(const auto entry, choose_entry(entries, reference, options.architecture));
  ASSIGN_OR_RETURN(const auto name, choose_name(reference, entry.name));
  ArchiveFiles by_digest;
  for (const auto& [path, file] : files) {
    if (path.starts_with(kBlobs)) by_digest.emplace("sha256:" + path.substr(kBlobs.size()), file);
  }
  ASSIGN_OR_RETURN(const auto manifest, resolve_manifest(by_digest, entry.manifest.digest, options.architecture));
  auto import = options;
  if (entry.from_registry) import.origin = Origin::kRegistry;
  import.pin = entry.pin;
  return import_manifest(std::move(store), manifest, by_digest, name, import);
}

}  // namespace

base::Result<ImageRecord> import_archive(std::shared_ptr<ContentStore> store, const fs::path& archive,
                                         const std::string& reference, const ImportOptions& options) {
  ASSIGN_OR_RETURN(const auto kind, detect(archive, options.limits));
  if (kind == Kind::kRootFileSystem) return import_root_file_system(std::move(store), archive, reference, options);
  ASSIGN_OR_RETURN(const auto temp, store->make_temp());
  ASSIGN_OR_RETURN(const auto files, extract(archive, temp.path(), options.limits));
  if (kind == Kind::kDockerArchive) return import_docker_archive(std::move(store), files, reference, options);
  return import_oci_layout(std::move(store), files, reference, options);
}

base::Result<ImageRecord> import_manifest(std::shared_ptr<ContentStore> store, const std::string& manifest,
                                          const ArchiveFiles& files, const std::string& reference,
                                          const ImportOptions& options) {
  ASSIGN_OR_RETURN(const auto parsed, parse_manifest(manifest));
  ASSIGN_OR_RETURN(const auto config, read_by_digest(files, parsed.config.digest));
  ASSIGN_OR_RETURN(const auto document, parse_config(config));
  RETURN_IF_ERROR(check_architecture(document, options.architecture));
  if (document.diff_ids.size() != parsed.layers.size())
    return refuse("the image's configuration and its manifest list different layers: make or fetch it again");
  ImageBuilder builder(store, options.limits, options.origin, options.pin);
  for (std::size_t i = 0; i < parsed.layers.size(); ++i) {
    const auto& digest = parsed.layers[i].digest;
    fs::path file;
    if (const auto found = files.find(digest); found != files.end()) {
      file = found->second;
    } else if (!store->has_blob(digest)) {
      return refuse(fmt::format("the image lacks its layer {}: make or fetch it again", digest));
    }
    RETURN_IF_ERROR(builder.add_layer({.file = file, .digest = digest, .diff_id = document.diff_ids[i]}));
  }
  return builder.commit(reference, manifest, config);
}

}  // namespace orchion::node::images
