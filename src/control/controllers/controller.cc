#include "control/controllers/controller.h"

namespace orchion::control::controllers {

Controller::Controller(const Context& context, base::Random random, std::string name, int workers)
    : context_(context),
      random_(random),
      loop_(context.executor, context.clock, base::Random(random_.next()), std::move(name),
            [this](Key key) { return step(std::move(key)); }),
      workers_(workers) {}

void Controller::start() {
  subscription_ = context_.objects.subscribe([this](const std::shared_ptr<const store::ObjectStore::Commit>& commit) {
    for (const auto& change : commit->changes) on_change(change);
  });
  enqueue_all();
  loop_.start(workers_);
}

base::Co<> Controller::shutdown() {
  subscription_.reset();
  return loop_.shutdown();
}

base::Co<std::optional<base::Time>> Controller::step(Key key) {
  const Plan wanted = plan(key);
  const auto claim = context_.allocations.claim(wanted.claims);
  auto transactions = to_transactions(wanted.units);
  for (auto& transaction : transactions) CO_RETURN_IF_ERROR(co_await context_.objects.commit(std::move(transaction)));
  co_return wanted.look_again;
}

}  // namespace orchion::control::controllers
