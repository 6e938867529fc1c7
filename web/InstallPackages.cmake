# Installs the packages of ${SOURCE}/package-lock.json below ${WORK}: cmake -DNPM= -DSOURCE= -DWORK= -P
file(MAKE_DIRECTORY ${WORK})
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json DESTINATION ${WORK})
execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
                WORKING_DIRECTORY ${WORK} RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "npm could not fetch the packages of ${SOURCE}/package-lock.json: it needs the npm registry "
                      "once. To build gw without the HTML report: cmake -DGW_WEB=OFF")
endif()
file(TOUCH ${WORK}/installed)
