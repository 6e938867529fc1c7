// What can be told of SQL by looking at its text: how to name it in a message, and what statements it begins.
#pragma once

#include <string>
#include <string_view>

namespace gw::sql {

/// On one line, in quotes, and at most about 120 bytes long: for messages.
std::string quoted_sql(std::string_view sql);

/// The table's or column's name as SQL writes it, whatever is in it.
std::string quoted_name(std::string_view name);

/// The first word of the first statement in `sql` that begins, ends or divides a transaction, or empty.
/// Comments, strings, quoted names, dollar quotes and the bodies of SQLite's triggers are passed over.
std::string transaction_word(std::string_view sql);

}  // namespace gw::sql
