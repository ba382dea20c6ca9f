#pragma once

// Asio's awaitable operators are costly to include: only where something is really bounded.

#include <string>
#include <utility>
#include <variant>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/clock.h"

namespace orchion::base {

// Runs `coroutine`; after `limit` cancels it, waits for its end and returns kDeadlineExceeded with "what
// took longer than <limit> s". `clock` must outlive the call.
template <class T>
Co<T> with_timeout(Clock& clock, Duration limit, std::string what, Co<T> coroutine) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto first = co_await (std::move(coroutine) || clock.sleep(limit));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  if (auto& slept = std::get<1>(first); !slept) co_return std::unexpected(slept.error());
  co_return fail(Code::kDeadlineExceeded,
                 what + " took longer than " +
                     std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()) + " ms");
}

}  // namespace orchion::base
