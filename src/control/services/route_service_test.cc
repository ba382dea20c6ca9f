#include "control/services/route_service.h"

#include <gmock/gmock.h>

#include "control/services/services_fixture_test.h"
#include "v1/control.pb.h"

namespace orchion::control::services {
namespace {

using testing::ElementsAre;

class RouteServiceTest : public ServicesFixture {
 protected:
  RouteServiceTest() { add_route_service(table_, context(), {}); }

  void service(const std::string& stack, const std::string& name, const std::vector<std::string>& routes) {
    v1::Service service;
    service.mutable_meta()->set_stack(stack);
    service.mutable_meta()->set_name(name);
    for (const auto& route : routes) service.mutable_spec()->add_routes()->set_name(route);
    store::Transaction transaction;
    store::create(transaction, service);
    commit(std::move(transaction));
  }

  // A page for each text: "SERVICE/ROUTE …".
  std::vector<std::string> pages(int size, const std::string& stack = "") {
    std::vector<std::string> pages;
    v1::ListRoutesRequest request;
    request.set_page_size(size);
    request.set_stack(stack);
    do {
      const auto page =
          call<v1::ListRoutesResponse, v1::ListRoutesRequest>(table_, "RouteService.ListRoutes", {request});
      if (!page) return {page.error().message};
      auto& text = pages.emplace_back();
      for (const auto& view : page->routes())
        text += (text.empty() ? "" : " ") + view.service() + "/" + view.route().name();
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return pages;
  }

  core::MethodTable table_;
};

TEST_F(RouteServiceTest, PagesCountRoutes) {
  service("blog", "web", {"z"});
  service("shop", "idle", {});
  service("shop", "web", {"b", "a", "c"});
  service("shop", "web-2", {"a"});
  EXPECT_THAT(pages(2), ElementsAre("web/z web/a", "web/b web/c", "web-2/a"));
  EXPECT_THAT(pages(5), ElementsAre("web/z web/a web/b web/c web-2/a"));
  EXPECT_THAT(pages(3, "shop"), ElementsAre("web/a web/b web/c", "web-2/a"));
  EXPECT_THAT(pages(2, "none"), ElementsAre(""));
}

}  // namespace
}  // namespace orchion::control::services
