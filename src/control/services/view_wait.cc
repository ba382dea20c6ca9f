#include "control/services/view_wait.h"

#include <memory>

#include "base/notifier.h"
#include "base/timeout.h"

namespace orchion::control::services {

namespace {

base::Co<> wait(ServiceContext context, std::function<bool()> holds) {
  auto changed = std::make_shared<base::Notifier>(context.executor);
  const auto subscription = context.objects.subscribe([changed](const auto&) { changed->notify(); });
  while (!holds()) CO_RETURN_IF_ERROR(co_await changed->wait());
  co_return base::Result<>{};
}

}  // namespace

base::Co<> wait_for_view(ServiceContext context, std::function<bool()> holds, base::Duration limit, std::string what) {
  if (holds()) co_return base::Result<>{};
  co_return co_await base::with_timeout(context.clock, limit, std::move(what), wait(context, std::move(holds)));
}

}  // namespace orchion::control::services
