// The names under which report's own sources know files::OutputFile and its kin.
#pragma once

#include "files/output_file.h"

namespace gw::report {

using files::OutputFile;
using files::read_file;
using files::write_file;

}  // namespace gw::report
