#pragma once

// The four ways to ask. Private to this folder. Each returns an Outcome; an error says why it is a bad one, and its
// code who is to blame, as outcome_of() reads it. None is bounded in time.

#include "node/probes/probe.h"

namespace orchion::node::probes {

base::Co<Outcome> ask_http(base::Clock& clock, Target target, v1::HttpProbe probe);
base::Co<Outcome> ask_tcp(Target target, v1::TcpProbe probe);
base::Co<Outcome> ask_grpc(Target target, v1::GrpcProbe probe);
base::Co<Outcome> ask_command(Target target, std::vector<std::string> command);

// The words to run: a line is for the container's shell.
std::vector<std::string> check_command(const v1::HealthCheck& check);

// A connection to the first of the target's addresses that takes one. kUnavailable: none does.
base::Co<base::UniqueFd> connect(Target target, std::uint16_t port);

}  // namespace orchion::node::probes
