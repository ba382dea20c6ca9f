#include "base/task_group.h"

#include <cassert>
#include <exception>
#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "base/notifier.h"

namespace orchion::base {

struct TaskGroup::State {
  explicit State(const Executor& executor) : ended(executor) {}
  std::list<boost::asio::cancellation_signal> running;
  Notifier ended;
  bool stopping = false;
};

namespace {

void log_end(const std::string& name, std::exception_ptr thrown, const Result<>& result) {
  if (thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const boost::system::system_error& e) {
      // Asio throws this from every co_await of a cancelled coroutine: the ordinary way to end one.
      if (e.code() != boost::asio::error::operation_aborted) log::error("{} ended by {}", name, e.what());
    } catch (const std::exception& e) {
      log::error("{} ended by an exception: {}", name, e.what());
    } catch (...) {
      log::error("{} ended by an unknown exception", name);
    }
  } else if (!result && result.error().code != Code::kCancelled) {
    log::warn("{} ended: {}", name, result.error().message);
  }
}

}  // namespace

TaskGroup::TaskGroup(Executor executor) : executor_(executor), state_(std::make_shared<State>(executor)) {}

TaskGroup::~TaskGroup() {
  assert(state_->running.empty());
}

void TaskGroup::spawn(std::string name, Co<> coroutine) {
  if (state_->stopping) return;
  auto state = state_;
  auto signal = state->running.emplace(state->running.end());
  boost::asio::co_spawn(
      executor_, std::move(coroutine),
      boost::asio::bind_cancellation_slot(
          signal->slot(), [state, signal, name = std::move(name)](std::exception_ptr thrown, Result<> result) {
            log_end(name, thrown, result);
            // The signal's slot is still in use by the operation that is completing: erase it afterwards.
            boost::asio::post(state->ended.executor(), [state, signal] {
              state->running.erase(signal);
              state->ended.notify();
            });
          }));
}

Co<> TaskGroup::shutdown() {
  auto state = state_;
  state->stopping = true;
  while (!state->running.empty()) {
    // Again after each end: a coroutine may have been between two waits when the signal came.
    for (auto& signal : state->running) signal.emit(boost::asio::cancellation_type::all);
    CO_RETURN_IF_ERROR(co_await state->ended.wait());
  }
  co_return Result<>{};
}

std::size_t TaskGroup::size() const {
  return state_->running.size();
}

}  // namespace orchion::base
