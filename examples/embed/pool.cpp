// SPDX-License-Identifier: Apache-2.0
// moonpool.h in C++17: handles that free themselves, and callbacks that are lambdas.
//
//   c++ -std=c++17 pool.cpp -lmoonpool      ./a.out pool.lua
#include <moonpool.h>

#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

using Loop = std::unique_ptr<moonpool_loop, int (*)(moonpool_loop *)>;
using Answer = std::function<void(const moonpool_result *, const moonpool_error *)>;

// Calls back once, and is gone then. Nothing may be thrown through moonpool: it is C.
static void on_answer(void *data, const moonpool_result *result, const moonpool_error *error) noexcept
{
	std::unique_ptr<Answer> answer{static_cast<Answer *>(data)};
	(*answer)(result, error);
}

static bool query(moonpool_session *session, std::string_view cql, Answer then)
{
	auto answer = std::make_unique<Answer>(std::move(then));
	moonpool_request *request =
		moonpool_request_new_query(session, cql.data(), static_cast<std::ptrdiff_t>(cql.size()));
	if (moonpool_execute(request, on_answer, answer.get()) != MOONPOOL_OK) {
		std::cerr << moonpool_last_message() << '\n';
		return false; // it does not call back
	}
	static_cast<void>(answer.release());
	return true;
}

static std::string_view text(const moonpool_result *result, const char *column)
{
	const char *bytes = nullptr;
	std::size_t len = 0;
	int index = moonpool_result_column(result, column);
	if (index < 0 ||
	    moonpool_get_text(result, static_cast<std::uint32_t>(index), &bytes, &len) != MOONPOOL_OK)
		return {};
	return {bytes, len};
}

struct App {
	moonpool_session *session = nullptr;
	bool worked = false;
};

static void on_connected(void *data, const moonpool_error *error) noexcept
{
	auto *app = static_cast<App *>(data);
	auto close = [app] { moonpool_session_close(app->session, nullptr, nullptr); };
	if (error != nullptr) {
		std::cerr << moonpool_error_message(error) << '\n';
		close();
		return;
	}
	bool asked = query(app->session, "SELECT cluster_name, release_version FROM system.local",
	                   [app, close](const moonpool_result *result, const moonpool_error *failure) {
						   if (failure != nullptr)
							   std::cerr << moonpool_error_message(failure) << '\n';
						   while (failure == nullptr && moonpool_result_next(result) > 0) {
							   std::cout << text(result, "cluster_name") << " runs "
										 << text(result, "release_version") << '\n';
							   app->worked = true;
						   }
						   close();
					   });
	if (!asked)
		close();
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		std::cerr << "usage: " << argv[0] << " pool.lua\n";
		return 2;
	}
	App app;
	std::string message(512, '\0');
	Loop loop{moonpool_loop_new(nullptr), moonpool_loop_free};
	app.session = moonpool_session_from_file(loop.get(), argv[1], message.data(), message.size());
	if (app.session == nullptr) {
		std::cerr << message.c_str() << '\n';
		return 1;
	}
	moonpool_session_on_event(
		app.session,
		[](void *, const moonpool_event *event) {
			if (event->kind == MOONPOOL_EVENT_HOST_DOWN)
				std::cerr << event->host << ": " << event->reason << '\n';
		},
		nullptr);
	moonpool_session_connect(app.session, on_connected, &app);
	moonpool_loop_run(loop.get());
	return app.worked ? 0 : 1;
}
