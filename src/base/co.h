#pragma once

// A coroutine that yields a Result. Run on an Asio executor; cancelled by Asio's per-operation cancellation,
// which surfaces as Code::kCancelled. Parameters of coroutines are taken by value.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "base/error.h"

// At -O2 g++ 12 inlines a coroutine frame's operator new but not its operator delete, and then takes them for a
// mismatched pair.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace orchion::base {

template <class T = void>
using Co = boost::asio::awaitable<Result<T>>;

using Executor = boost::asio::any_io_executor;

}  // namespace orchion::base
