#include "client/contexts.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/file.h"

namespace orchion::client {

namespace {

constexpr std::size_t kBytesMax = 1u << 20;

std::optional<std::string> text_at(const boost::json::object& object, std::string_view key) {
  const auto* found = object.if_contains(key);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return std::string(found->as_string());
}

std::optional<NamedServer> server_of(const boost::json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  const auto name = text_at(*object, "name");
  const auto server = text_at(*object, "server");
  if (!name || !server) return std::nullopt;
  return NamedServer{*name, *server, text_at(*object, "tokenFile").value_or("")};
}

std::optional<Contexts> contexts_of(const std::string& text) {
  boost::system::error_code error;
  const auto value = boost::json::parse(text, error);
  const auto* object = value.if_object();
  if (error || object == nullptr) return std::nullopt;
  const auto* all = object->if_contains("contexts");
  if (all == nullptr || !all->is_array()) return std::nullopt;
  Contexts contexts;
  for (const auto& each : all->as_array()) {
    auto server = server_of(each);
    if (!server) return std::nullopt;
    contexts.all.push_back(std::move(*server));
  }
  contexts.current = text_at(*object, "current").value_or("");
  return contexts;
}

}  // namespace

const NamedServer* Contexts::find(const std::string& name) const {
  const auto found = std::ranges::find(all, name, &NamedServer::name);
  return found == all.end() ? nullptr : &*found;
}

std::filesystem::path contexts_file() {
  const char* xdg = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  const auto folder = xdg != nullptr && *xdg == '/' ? std::filesystem::path(xdg)
                                                    : std::filesystem::path(home != nullptr ? home : "/") / ".config";
  return folder / "orchion" / "contexts.json";
}

base::Result<Contexts> read_contexts(const std::filesystem::path& file) {
  auto text = base::read_file(file, kBytesMax);
  if (!text && text.error().code == base::Code::kNotFound) return Contexts();
  if (!text) return std::unexpected(text.error());
  auto contexts = contexts_of(*text);
  if (!contexts)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} is not what `orchion context` writes: mend or remove it", file.string()));
  return *std::move(contexts);
}

base::Result<> write_contexts(const std::filesystem::path& file, const Contexts& contexts) {
  RETURN_IF_ERROR(base::make_folders(file.parent_path(), 0700));
  return base::write_file_durably(file, contexts_json(contexts) + "\n", 0600);
}

std::string contexts_json(const Contexts& contexts) {
  boost::json::array all;
  for (const auto& each : contexts.all) {
    boost::json::object object{{"name", each.name}, {"server", each.server}, {"tokenFile", each.token_file}};
    all.emplace_back(std::move(object));
  }
  return boost::json::serialize(boost::json::object{{"current", contexts.current}, {"contexts", std::move(all)}});
}

}  // namespace orchion::client
