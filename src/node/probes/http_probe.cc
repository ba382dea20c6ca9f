#include <fmt/core.h>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/timeout.h"
#include "node/probes/ways.h"
#include "wire/raw_socket.h"
#include "wire/single_request.h"
#include "wire/tls/tls_stream.h"

namespace orchion::node::probes {

namespace {

constexpr int kGoodFirst = 200;
constexpr int kGoodLast = 399;

// How long what a failure says about itself is waited for: the status has said enough.
constexpr auto kBodyPatience = std::chrono::milliseconds(300);

wire::ClientRequest request_of(const v1::HttpProbe& probe) {
  wire::ClientRequest request;
  request.target = probe.path().empty() ? "/" : probe.path();
  const auto host = probe.host().empty() ? std::string("localhost") : probe.host();
  const std::uint32_t usual = probe.tls() ? 443 : 80;
  request.headers.set("Host", probe.port() == usual || host.find(':') != std::string::npos
                                  ? host
                                  : fmt::format("{}:{}", host, probe.port()));
  request.headers.set("User-Agent", "orchion-probe");
  request.headers.set("Accept", "*/*");
  for (const auto& header : probe.headers()) request.headers.set(header.name(), header.value());
  return request;
}

// What TLS may ask for: names, no addresses.
std::string server_name(const v1::HttpProbe& probe) {
  const auto name = probe.host().substr(0, probe.host().find(':'));
  boost::system::error_code error;
  boost::asio::ip::make_address(name, error);
  return error ? name : "";
}

}  // namespace

base::Co<Outcome> ask_http(base::Clock& clock, Target target, v1::HttpProbe probe) {
  CO_ASSIGN_OR_RETURN(auto connected, co_await connect(std::move(target), static_cast<std::uint16_t>(probe.port())));
  const base::Executor executor = co_await boost::asio::this_coro::executor;
  CO_ASSIGN_OR_RETURN(auto opened, wire::open_raw_socket(executor, std::move(connected)));
  std::shared_ptr<wire::RawStream> stream = std::move(opened);
  if (probe.tls()) {
    CO_ASSIGN_OR_RETURN(stream, co_await wire::tls::open_unverified(std::move(stream), server_name(probe)));
  }
  wire::SingleRequest request(std::move(stream), {.body_bytes_max = kOutputBytesMax});
  CO_ASSIGN_OR_RETURN(const int status, co_await request.send(request_of(probe)));
  const bool good = status >= kGoodFirst && status <= kGoodLast;
  if (!good && request.body().empty()) {
    auto read = co_await base::with_timeout(clock, kBodyPatience, "the answer's body", request.read_body());
    if (!read && read.error().code == base::Code::kCancelled) co_return std::unexpected(read.error());
  }
  const auto said = request.body().empty() ? fmt::format("HTTP status {}", status)
                                           : fmt::format("HTTP status {}: {}", status, request.body());
  co_return Outcome{good ? Outcome::Verdict::kGood : Outcome::Verdict::kBad, said};
}

}  // namespace orchion::node::probes
