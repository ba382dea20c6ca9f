#pragma once

// What went wrong, as a value. `Result<T>` is the return type of everything that can fail because of its
// input or of the world; a broken invariant is an assertion instead.

#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orchion::base {

// gRPC's canonical codes, with gRPC's numbers, so that the edge maps them without a table of its own.
// Source: https://grpc.io/docs/guides/status-codes/
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The canonical upper-case name ("NOT_FOUND").
std::string_view code_name(Code code);

// One field of a request that is wrong. `pointer` is an RFC 6901 JSON pointer into the request.
struct FieldViolation {
  std::string pointer;
  std::string detail;

  bool operator==(const FieldViolation&) const = default;
};

// The message is one sentence for the person who reads it: what happened and what to do about it.
// It never holds a secret.
struct [[nodiscard]] Error {
  Code code = Code::kUnknown;
  std::string message;
  std::vector<FieldViolation> fields;

  // The same error with "context: " put before its message, for the way up.
  Error with_context(std::string_view context) const;

  bool operator==(const Error&) const = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message), {}});
}

// An errno as an Error: "action: No such file or directory", with the nearest canonical code.
std::unexpected<Error> fail_errno(int error_number, std::string_view action);

}  // namespace orchion::base

#define ORCHION_CONCAT_INNER(a, b) a##b
#define ORCHION_CONCAT(a, b) ORCHION_CONCAT_INNER(a, b)

// In functions that return Result. `decl` may declare or assign: ASSIGN_OR_RETURN(auto x, f());
#define ASSIGN_OR_RETURN(decl, expr) ASSIGN_OR_RETURN_IMPL(ORCHION_CONCAT(result_, __COUNTER__), decl, expr)
#define ASSIGN_OR_RETURN_IMPL(tmp, decl, expr)                          \
  auto tmp = (expr);                                                    \
  if (!tmp.has_value()) return std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)

#define RETURN_IF_ERROR(expr)                                                                            \
  do {                                                                                                   \
    if (auto result_ = (expr); !result_.has_value()) return std::unexpected(std::move(result_).error()); \
  } while (false)

// The same in coroutines that return Co. Two statements on purpose: a statement expression that holds a
// co_await crashes g++ 12.
#define CO_ASSIGN_OR_RETURN(decl, expr) CO_ASSIGN_OR_RETURN_IMPL(ORCHION_CONCAT(result_, __COUNTER__), decl, expr)
#define CO_ASSIGN_OR_RETURN_IMPL(tmp, decl, expr)                          \
  auto tmp = (expr);                                                       \
  if (!tmp.has_value()) co_return std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)

#define CO_RETURN_IF_ERROR(expr) CO_RETURN_IF_ERROR_IMPL(ORCHION_CONCAT(result_, __COUNTER__), expr)
#define CO_RETURN_IF_ERROR_IMPL(tmp, expr) \
  if (auto tmp = (expr); !tmp.has_value()) co_return std::unexpected(std::move(tmp).error())
