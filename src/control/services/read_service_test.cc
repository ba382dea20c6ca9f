#include "control/services/read_service.h"

#include "control/services/services_fixture_test.h"
#include "v1/control.pb.h"

namespace orchion::control::services {
namespace {

using base::Code;

class ReadServiceTest : public ServicesFixture {
 protected:
  ReadServiceTest() { add_read_services(table_, context()); }

  template <class T>
  void make(const std::string& stack, const std::string& name) {
    T object;
    object.mutable_meta()->set_stack(stack);
    object.mutable_meta()->set_name(name);
    object.mutable_meta()->set_uid("uid-" + name);
    store::Transaction transaction;
    store::create(transaction, object);
    commit(std::move(transaction));
  }

  template <class Response, class Request>
  base::Result<Response> get(const std::string& rpc, const std::string& stack, const std::string& name) {
    Request request;
    if constexpr (requires { request.set_stack(stack); }) request.set_stack(stack);
    request.set_name(name);
    return call<Response, Request>(table_, rpc, {request});
  }

  // What is there is found; what isn't is refused with a sentence that holds `advice`.
  template <class T, class Request>
  void expect_found(const std::string& rpc, const std::string& stack, const std::string& name,
                    const std::string& advice) {
    make<T>(stack, name);
    const auto found = get<T, Request>(rpc, stack, name);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->meta().uid(), "uid-" + name);
    EXPECT_GT(found->meta().revision(), 0u);
    const auto none = get<T, Request>(rpc, stack, "none");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::kNotFound);
    EXPECT_NE(none.error().message.find(advice), std::string::npos) << none.error().message;
  }

  core::MethodTable table_;
};

TEST_F(ReadServiceTest, WhatStandsInAStack) {
  expect_found<v1::Network, v1::GetNetworkRequest>("ResourceService.GetNetwork", "shop", "default",
                                                   "orchion network ls");
  expect_found<v1::Volume, v1::GetVolumeRequest>("ResourceService.GetVolume", "shop", "data",
                                                 "GET /v1/volumes?stack=shop");
  expect_found<v1::Revision, v1::GetRevisionRequest>("ResourceService.GetRevision", "shop", "web.3",
                                                     "GET /v1/revisions?stack=shop");
  EXPECT_FALSE((get<v1::Network, v1::GetNetworkRequest>("ResourceService.GetNetwork", "other", "default")));
}

TEST_F(ReadServiceTest, AnImageByAnyOfItsSpellings) {
  expect_found<v1::Image, v1::GetImageRequest>("ImageService.GetImage", "", "docker.io/library/nginx:latest",
                                               "orchion image ls");
  EXPECT_TRUE((get<v1::Image, v1::GetImageRequest>("ImageService.GetImage", "", "nginx")));
  const auto odd = get<v1::Image, v1::GetImageRequest>("ImageService.GetImage", "", "No Image");
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().code, Code::kInvalidArgument);
}

TEST_F(ReadServiceTest, AnEventOfWhateverStack) {
  expect_found<v1::Event, v1::GetEventRequest>("EventService.GetEvent", "shop", "1-a", "orchion events");
  expect_found<v1::Event, v1::GetEventRequest>("EventService.GetEvent", "", "2-b", "orchion events");
}

}  // namespace
}  // namespace orchion::control::services
