#pragma once

#include "spec/render_writer.h"
#include "v1/specs.pb.h"

namespace orchion::spec {

// A service below its name.
void render_service(const v1::NamedService& service, RenderWriter& yaml);

// The part of it that few services have.
void render_options(const v1::ContainerSpec& container, RenderWriter& yaml);

}  // namespace orchion::spec
