# Debian packages, by `cpack -G DEB` in a build folder (scripts/deb does the whole): the library with its Lua files, what
# programs are built with, the command, and the module for Debian's nginx.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME moonpool)
set(CPACK_PACKAGE_VENDOR moonpool)
# Whoever gives packages to others says who answers for them, as Debian's own tools are told.
set(CPACK_PACKAGE_CONTACT "the authors of moonpool <moonpool@example.org>")
if(DEFINED ENV{DEBEMAIL})
	set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # the first line of each description is it
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL library dev cli)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/packaging/deb/finish.cmake)
# The first line is what a search shows of each package.
function(mp_describe component kind text)
	set(CPACK_COMPONENT_${component}_DESCRIPTION "${PROJECT_DESCRIPTION} - ${kind}
moonpool keeps pools of connections to Apache Cassandra, whose policies,
handlers and recoveries are Lua files that are replaced while requests run.
.
${text}" PARENT_SCOPE)
endfunction()
set(mp_exactly "libmoonpool${PROJECT_VERSION_MAJOR} (= ${PROJECT_VERSION})")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libmoonpool${PROJECT_VERSION_MAJOR})
mp_describe(LIBRARY "shared library"
	"This package has the shared library, its Lua files and policies, and the
module of LuaJIT.")
# What programs that are built with it depend on; and the linker's cache by a trigger. Where CPack is told of scripts it
# writes none that call ldconfig, and one that is not there is left out.
file(WRITE ${PROJECT_BINARY_DIR}/deb/shlibs
	"libmoonpool ${PROJECT_VERSION_MAJOR} libmoonpool${PROJECT_VERSION_MAJOR} (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/deb/triggers
	${PROJECT_BINARY_DIR}/deb/shlibs none/postinst none/postrm)

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libmoonpool-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
# What moonpool.pc requires privately, pkg-config wants to see; and the static library is linked with it.
set(mp_dev_depends "${mp_exactly}" "libluajit2-5.1-dev | libluajit-5.1-dev" libuv1-dev zlib1g-dev)
foreach(optional LZ4=liblz4-dev SNAPPY=libsnappy-dev MICROHTTPD=libmicrohttpd-dev LIBURING=liburing-dev OPENSSL=libssl-dev)
	string(REPLACE "=" ";" optional ${optional})
	list(GET optional 0 name)
	list(GET optional 1 package)
	if(${name}_FOUND)
		list(APPEND mp_dev_depends ${package})
	endif()
endforeach()
list(JOIN mp_dev_depends ", " CPACK_DEBIAN_DEV_PACKAGE_DEPENDS)
set(CPACK_DEBIAN_DEV_PACKAGE_SHLIBDEPS OFF)
mp_describe(DEV "development files"
	"This package has what C and C++ programs are built with: headers, the static
library, pkg-config and CMake files.")

set(CPACK_DEBIAN_CLI_PACKAGE_NAME moonpool)
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION database)
set(CPACK_DEBIAN_CLI_PACKAGE_DEPENDS "${mp_exactly}, lua-argparse, lua-cjson")
set(CPACK_DEBIAN_CLI_PACKAGE_SUGGESTS lua-curses) # moonpool top
mp_describe(CLI "command"
	"This package has the command: run, serve, ctl, check, test, sim and others,
and a service for systemd.")

if(TARGET moonpool_nginx)
	list(APPEND CPACK_COMPONENTS_ALL nginx)
	# Debian's nginx says which modules fit it by a package that it provides.
	execute_process(COMMAND dpkg-query -W -f "\${Provides}" nginx OUTPUT_VARIABLE mp_nginx_provides ERROR_QUIET)
	string(REGEX MATCH "nginx-abi-[0-9.-]+" mp_nginx_abi "${mp_nginx_provides}")
	list(APPEND mp_nginx_depends "${mp_exactly}" ${mp_nginx_abi} libnginx-mod-http-lua)
	list(JOIN mp_nginx_depends ", " CPACK_DEBIAN_NGINX_PACKAGE_DEPENDS)
	set(CPACK_DEBIAN_NGINX_PACKAGE_NAME libnginx-mod-http-moonpool)
	set(CPACK_DEBIAN_NGINX_PACKAGE_SECTION httpd)
	mp_describe(NGINX "module for nginx"
	"This package has the module for Debian's nginx with lua-nginx-module, which
resty.moonpool stands on.")
	install(FILES packaging/nginx/mod-http-moonpool.conf DESTINATION share/nginx/modules-available COMPONENT nginx)
	set(CPACK_DEBIAN_NGINX_PACKAGE_CONTROL_EXTRA
		${PROJECT_SOURCE_DIR}/packaging/nginx/postinst ${PROJECT_SOURCE_DIR}/packaging/nginx/prerm)
endif()
include(CPack)
