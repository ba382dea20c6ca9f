#include "testing/breakable_link.h"

#include <optional>

namespace orchion::testing {

struct BreakableLink::Weather {
  Weather(base::Clock& the_clock, std::uint64_t seed) : clock(the_clock), random(seed) {}

  bool strikes(std::uint32_t per_mille) { return per_mille > 0 && random.below(1000) < per_mille; }

  base::Co<> delay() {
    if (!strikes(disturbance.delayed_per_mille)) co_return base::Result<>{};
    const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(disturbance.delay_max).count();
    co_return co_await clock.sleep(std::chrono::milliseconds(random.below(static_cast<std::uint64_t>(longest) + 1)));
  }

  base::Clock& clock;
  base::Random random;
  Disturbance disturbance;
};

namespace {

base::Error away() {
  return {base::Code::kUnavailable, "the control plane does not answer", {}};
}

base::Error reset() {
  return {base::Code::kUnavailable, "the connection was reset", {}};
}

template <class Weather>
class DisturbedSession final : public node::agent::SessionStream {
 public:
  DisturbedSession(std::unique_ptr<node::agent::SessionStream> stream, std::shared_ptr<Weather> weather)
      : stream_(std::move(stream)), weather_(std::move(weather)) {}

  base::Co<std::optional<v1::ToAgent>> receive() override {
    if (again_) co_return std::exchange(again_, std::nullopt);
    auto message = co_await stream_->receive();
    if (!message || !*message) co_return message;
    CO_RETURN_IF_ERROR(co_await weather_->delay());
    if (weather_->strikes(weather_->disturbance.lost_per_mille)) {
      stream_->finish(reset());
      co_return std::unexpected(reset());
    }
    if (weather_->strikes(weather_->disturbance.doubled_per_mille)) again_ = **message;
    co_return message;
  }

  base::Co<> send(v1::FromAgent message) override {
    CO_RETURN_IF_ERROR(co_await weather_->delay());
    if (weather_->strikes(weather_->disturbance.lost_per_mille)) {
      stream_->finish(reset());
      co_return std::unexpected(reset());
    }
    if (weather_->strikes(weather_->disturbance.doubled_per_mille)) CO_RETURN_IF_ERROR(co_await stream_->send(message));
    co_return co_await stream_->send(std::move(message));
  }

  void finish() override { stream_->finish(); }
  void finish(base::Error error) override { stream_->finish(std::move(error)); }

 private:
  std::unique_ptr<node::agent::SessionStream> stream_;
  std::shared_ptr<Weather> weather_;
  std::optional<v1::ToAgent> again_;
};

}  // namespace

BreakableLink::BreakableLink(base::Executor executor, base::Clock& clock, std::uint64_t seed)
    : executor_(std::move(executor)), weather_(std::make_shared<Weather>(clock, seed)) {}

BreakableLink::~BreakableLink() = default;

void BreakableLink::connect(const core::MethodTable& methods) {
  calls_ = std::make_unique<base::TaskGroup>(executor_);
  link_ = std::make_unique<daemon::LocalLink>(methods, *calls_);
}

base::Co<> BreakableLink::cut() {
  link_.reset();
  if (!calls_) co_return base::Result<>{};
  CO_RETURN_IF_ERROR(co_await calls_->shutdown());
  calls_.reset();
  co_return base::Result<>{};
}

void BreakableLink::disturb(const Disturbance& disturbance) {
  weather_->disturbance = disturbance;
}

base::Co<std::unique_ptr<node::agent::SessionStream>> BreakableLink::open_session() {
  if (!link_) co_return std::unexpected(away());
  CO_ASSIGN_OR_RETURN(auto stream, co_await link_->open_session());
  std::unique_ptr<node::agent::SessionStream> disturbed =
      std::make_unique<DisturbedSession<Weather>>(std::move(stream), weather_);
  co_return disturbed;
}

base::Co<std::unique_ptr<node::agent::DataStream>> BreakableLink::open_stream() {
  if (!link_) co_return std::unexpected(away());
  co_return co_await link_->open_stream();
}

}  // namespace orchion::testing
