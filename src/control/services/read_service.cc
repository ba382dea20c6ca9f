#include "control/services/read_service.h"

#include <algorithm>

#include <fmt/core.h>

#include "control/services/paging.h"
#include "control/services/stack_manifests.h"
#include "core/events.h"
#include "core/image_reference.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

namespace {

template <class Response, class T, class Request, class Keep, class Add>
base::Result<Response> list(const store::ObjectStore& objects, const store::ObjectTable<T>& table,
                            const Request& request, Keep keep, Add add) {
  ASSIGN_OR_RETURN(const auto page, parse_page(request.page_size(), request.page_token()));
  Response response;
  response.set_revision(objects.bookmark().text());
  for (const auto& object : page_of(table, page, keep, *response.mutable_next_page_token())) *add(response) = *object;
  return response;
}

bool matches(const std::string& wanted, const std::string& actual) {
  return wanted.empty() || wanted == actual;
}

base::Co<v1::ListNetworksResponse> list_networks(ServiceContext context, v1::ListNetworksRequest request) {
  co_return list<v1::ListNetworksResponse>(
      context.objects, context.objects.view().networks(), request,
      [&](const v1::Network& network) { return matches(request.stack(), network.meta().stack()); },
      [](v1::ListNetworksResponse& response) { return response.add_networks(); });
}

base::Co<v1::ListVolumesResponse> list_volumes(ServiceContext context, v1::ListVolumesRequest request) {
  co_return list<v1::ListVolumesResponse>(
      context.objects, context.objects.view().volumes(), request,
      [&](const v1::Volume& volume) { return matches(request.stack(), volume.meta().stack()); },
      [](v1::ListVolumesResponse& response) { return response.add_volumes(); });
}

base::Co<v1::ListRevisionsResponse> list_revisions(ServiceContext context, v1::ListRevisionsRequest request) {
  co_return list<v1::ListRevisionsResponse>(
      context.objects, context.objects.view().revisions(), request,
      [&](const v1::Revision& revision) {
        return matches(request.stack(), revision.meta().stack()) &&
               matches(request.service(), revision.spec().service());
      },
      [](v1::ListRevisionsResponse& response) { return response.add_revisions(); });
}

base::Co<v1::ListEventsResponse> list_events(ServiceContext context, v1::ListEventsRequest request) {
  co_return list<v1::ListEventsResponse>(
      context.objects, context.objects.view().events(), request,
      [&](const v1::Event& event) { return core::is_wanted(event, request); },
      [](v1::ListEventsResponse& response) { return response.add_events(); });
}

base::Co<v1::ListImagesResponse> list_images(ServiceContext context, v1::ListImagesRequest request) {
  co_return list<v1::ListImagesResponse>(
      context.objects, context.objects.view().images(), request, [](const v1::Image&) { return true; },
      [](v1::ListImagesResponse& response) { return response.add_images(); });
}

// `lists` is the path that lists what there is, where no command does.
template <class T>
base::Result<T> of_stack(const store::ObjectTable<T>& table, const char* what, const char* lists,
                         const std::string& stack, const std::string& name) {
  if (const auto object = table.find(stack, name)) return *object;
  return base::fail(
      base::Code::kNotFound,
      fmt::format("there is no {0} {1}/{2}: GET {3}?stack={1} lists those there are", what, stack, name, lists));
}

base::Co<v1::Network> get_network(ServiceContext context, v1::GetNetworkRequest request) {
  if (const auto network = context.objects.view().networks().find(request.stack(), request.name())) co_return *network;
  co_return std::unexpected(no_network(request.stack(), request.name()));
}

base::Co<v1::Volume> get_volume(ServiceContext context, v1::GetVolumeRequest request) {
  co_return of_stack(context.objects.view().volumes(), "volume", "/v1/volumes", request.stack(), request.name());
}

base::Co<v1::Revision> get_revision(ServiceContext context, v1::GetRevisionRequest request) {
  co_return of_stack(context.objects.view().revisions(), "revision", "/v1/revisions", request.stack(), request.name());
}

base::Co<v1::Image> get_image(ServiceContext context, v1::GetImageRequest request) {
  CO_ASSIGN_OR_RETURN(const auto name, core::normalise_image(request.name()));
  const auto image = context.objects.view().images().find(name);
  if (!image)
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("no node has the image {}: see `orchion image ls`", request.name()));
  co_return *image;
}

// An event's name says nothing of its stack, yet is its alone.
base::Co<v1::Event> get_event(ServiceContext context, v1::GetEventRequest request) {
  const auto& events = context.objects.view().events().all();
  const auto found =
      std::ranges::find_if(events, [&](const auto& entry) { return entry.first.name == request.name(); });
  if (found == events.end())
    co_return base::fail(base::Code::kNotFound,
                         fmt::format("there is no event {}, or no longer: see `orchion events` for those that are kept",
                                     request.name()));
  co_return *found->second;
}

template <class Request, class Response>
void add(core::MethodTable& table, ServiceContext context, std::string_view name,
         base::Co<Response> (*handler)(ServiceContext, Request)) {
  table.unary<Request, Response>(
      name, [context, handler](core::CallContext, Request request) { return handler(context, std::move(request)); });
}

}  // namespace

void add_read_services(core::MethodTable& table, ServiceContext context) {
  add(table, context, "orchion.v1.ResourceService.GetNetwork", &get_network);
  add(table, context, "orchion.v1.ResourceService.GetVolume", &get_volume);
  add(table, context, "orchion.v1.ResourceService.GetRevision", &get_revision);
  add(table, context, "orchion.v1.EventService.GetEvent", &get_event);
  add(table, context, "orchion.v1.ImageService.GetImage", &get_image);
  add(table, context, "orchion.v1.ResourceService.ListNetworks", &list_networks);
  add(table, context, "orchion.v1.ResourceService.ListVolumes", &list_volumes);
  add(table, context, "orchion.v1.ResourceService.ListRevisions", &list_revisions);
  add(table, context, "orchion.v1.EventService.ListEvents", &list_events);
  add(table, context, "orchion.v1.ImageService.ListImages", &list_images);
}

}  // namespace orchion::control::services
