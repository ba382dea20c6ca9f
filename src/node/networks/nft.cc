#include "node/networks/nft.h"

#include <nftables/libnftables.h>

#include <cassert>
#include <string_view>

namespace orchion::node::networks {
namespace {

base::Code code_of(std::string_view message) {
  if (message.find("No such file or directory") != std::string_view::npos) return base::Code::kNotFound;
  if (message.find("File exists") != std::string_view::npos) return base::Code::kAlreadyExists;
  if (message.find("Operation not permitted") != std::string_view::npos) return base::Code::kPermissionDenied;
  return base::Code::kInternal;
}

}  // namespace

Nft::Nft() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
  assert(context_ != nullptr);
  nft_ctx_buffer_output(context_);
  nft_ctx_buffer_error(context_);
  nft_ctx_output_set_flags(context_, NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_HANDLE);
}

Nft::~Nft() {
  nft_ctx_free(context_);
}

base::Result<std::string> Nft::run(const std::string& commands) {
  const std::lock_guard lock(mutex_);
  const int failed = nft_run_cmd_from_buffer(context_, commands.c_str());
  // Reading the buffers empties them.
  std::string output(nft_ctx_get_output_buffer(context_));
  const std::string_view errors(nft_ctx_get_error_buffer(context_));
  if (failed == 0) return output;
  std::string_view first = errors.substr(0, errors.find('\n'));
  if (const auto at = first.find("Error: "); at != std::string_view::npos) first.remove_prefix(at + 7);
  return base::fail(code_of(first), "nftables refused: " + std::string(first));
}

}  // namespace orchion::node::networks
