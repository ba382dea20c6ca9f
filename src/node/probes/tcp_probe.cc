#include <fmt/core.h>

#include "node/probes/ways.h"

namespace orchion::node::probes {

base::Co<Outcome> ask_tcp(Target target, v1::TcpProbe probe) {
  CO_ASSIGN_OR_RETURN(auto connection, co_await connect(std::move(target), static_cast<std::uint16_t>(probe.port())));
  co_return Outcome{Outcome::Verdict::kGood, fmt::format("port {} takes connections", probe.port())};
}

}  // namespace orchion::node::probes
