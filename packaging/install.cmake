# What `cmake --install` puts under a prefix: programs, libraries, the header, the Lua files, and how others find them:
# moonpool.pc and a CMake package. Nothing of it names the prefix, so the whole may be moved. The components are the
# packages of packaging/deb/deb.cmake: library, dev, cli, nginx.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(mp_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/moonpool)

foreach(library moonpool_shared moonpool_static)
	target_include_directories(${library} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
	# An instrumented library is of use to instrumented programs only.
	target_link_options(${library} INTERFACE ${mp_sanitizers})
endforeach()

install(TARGETS moonpool COMPONENT cli)
install(TARGETS moonpool_shared EXPORT moonpool-shared LIBRARY COMPONENT library NAMELINK_COMPONENT dev)
# Apart: who links it needs the packages of its libraries, too.
install(TARGETS moonpool_static mp_libraries EXPORT moonpool-static COMPONENT dev)
if(TARGET moonpool_nginx)
	install(TARGETS moonpool_nginx DESTINATION ${CMAKE_INSTALL_LIBDIR}/nginx/modules COMPONENT nginx)
endif()
install(FILES runtime/moonpool.h runtime/moonpool_session.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev)
install(DIRECTORY lua policies DESTINATION ${CMAKE_INSTALL_DATADIR}/moonpool COMPONENT library)

# Where LuaJIT looks for modules by itself, they are the same files by another name.
foreach(module moonpool resty/moonpool resty/moonpool.lua)
	get_filename_component(folder share/lua/5.1/${module} DIRECTORY)
	file(RELATIVE_PATH target /${folder} /share/moonpool/lua/${module})
	install(CODE "
		set(link \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/lua/5.1/${module}\")
		get_filename_component(folder \"\${link}\" DIRECTORY)
		file(MAKE_DIRECTORY \"\${folder}\")
		file(REMOVE \"\${link}\")
		file(CREATE_LINK ${target} \"\${link}\" SYMBOLIC)" COMPONENT library)
endforeach()

# A service for systemd.
install(FILES examples/daemon/moonpool.service DESTINATION lib/systemd/system COMPONENT cli)

# What man and shells know of the program, which it says itself (lua/moonpool/cli/manual.lua). Where it cannot, for want of
# lua-argparse, they are left out.
file(GLOB_RECURSE mp_cli_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lua/moonpool/*.lua)
foreach(page man=man/man1/moonpool.1 bash=bash-completion/completions/moonpool zsh=zsh/site-functions/_moonpool
		fish=fish/vendor_completions.d/moonpool.fish)
	string(REGEX MATCH "^([a-z]+)=(.*)/(.*)$" matched ${page})
	set(mp_page ${PROJECT_BINARY_DIR}/manual/${CMAKE_MATCH_3}.${CMAKE_MATCH_1})
	add_custom_command(OUTPUT ${mp_page} DEPENDS moonpool ${mp_cli_files} VERBATIM
		COMMAND sh -c "mkdir -p manual; \"$1\" manual $2 >\"$3\" || : >\"$3\"" sh $<TARGET_FILE:moonpool>
			${CMAKE_MATCH_1} ${mp_page}
		WORKING_DIRECTORY ${PROJECT_BINARY_DIR})
	list(APPEND mp_pages ${mp_page})
	install(CODE "file(SIZE \"${mp_page}\" size)
		if(size GREATER 0)
			file(INSTALL \"${mp_page}\" DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/${CMAKE_MATCH_2}\"
				RENAME \"${CMAKE_MATCH_3}\" TYPE FILE PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
		endif()" COMPONENT cli)
endforeach()
add_custom_target(mp_manual ALL DEPENDS ${mp_pages})

foreach(kind shared static)
	install(EXPORT moonpool-${kind} NAMESPACE moonpool:: DESTINATION ${mp_cmake_dir} COMPONENT dev)
endforeach()
configure_package_config_file(packaging/moonpool-config.cmake.in moonpool-config.cmake
	INSTALL_DESTINATION ${mp_cmake_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(moonpool-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/moonpool-config.cmake ${PROJECT_BINARY_DIR}/moonpool-config-version.cmake
	DESTINATION ${mp_cmake_dir} COMPONENT dev)

file(RELATIVE_PATH mp_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" mp_up ${mp_up})
string(JOIN " " mp_pc_flags ${mp_sanitizers})
list(TRANSFORM mp_modules REPLACE ".*=" "" OUTPUT_VARIABLE mp_pc_modules)
string(JOIN " " mp_pc_modules ${mp_pc_modules} zlib)
configure_file(packaging/moonpool.pc.in moonpool.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/moonpool.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

include(packaging/deb/deb.cmake)
