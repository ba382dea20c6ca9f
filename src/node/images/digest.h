#pragma once

// Content addresses: "sha256:" and 64 lower-case hexadecimal digits. Nothing else ever becomes part of a path.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"
#include "core/sha256.h"

namespace orchion::node::images {

// 64 of 0-9a-f.
bool is_hex_sha256(std::string_view text);

bool is_digest(std::string_view text);

// The hexadecimal part; `digest` must be one (asserted).
std::string digest_hex(std::string_view digest);

using core::Sha256;

std::string digest_of(std::string_view bytes);

// Reads the whole file; blocks.
base::Result<std::string> digest_of_file(const std::filesystem::path& path);

}  // namespace orchion::node::images
