//! What scanners ask for, as tables.
//!
//! Path patterns are segments joined by slashes, compared without regard to case. A leading slash means the path's
//! first segment, otherwise any. A final `*` lets the last segment go on. What owners of common software ask for
//! themselves is weak. The names are those of published vulnerabilities, default installations and stray files.

use super::ProbeKind::{self, Admin, Backup, Credential, Exploit};
use super::ProbeStrength::{self, Strong, Weak};

pub(crate) const PATH_RULES: [(ProbeKind, ProbeStrength, &str); 7] = [
    // Ways in that owners use too.
    (
        Admin,
        Weak,
        "wp-login.php wp-admin wp-signup.php xmlrpc.php /wp-json/wp/v2/users wlwmanifest.xml \
         /admin /admin.php /admin.html /administrator /admin-console /admin_area /adminpanel /admincp /cpanel /webmail \
                   \
         /server-status /server-info /info.php /test.php /install.php   /setup.php \
         /owa /ecp /autodiscover /webdav /roundcube /rcube       \
         /cgi-bin /zabbix /swagger-ui.html /swagger.json /api-docs /v2/_catalog /_cat/indices /_all_dbs \
         /telescope/requests /wp-cron.php /nwa /sap/bc/gui/sap/its/webgui* /guacamole   /nacos",
    ),
    (
        Admin,
        Strong,
        "phpmyadmin /phpmyadmin-2* /phpmyadmin-3* /phpmyadmin-4* /phpmyadmin-5* /phpmyadmin2* /phpmyadmin3* /phpmyadmin4* /phpmyadmin5* /phpmyadmin_* /_phpmyadmin* php-my-admin phpmyadmi /pma /pma2* /myadmin /mysql-admin /mysqladmin /dbadmin /sqlmanager /sqladmin \
         /mysqlmanager /phppgadmin adminer.php adminer-4* adminer-5* /sqlitemanager /webdb /db/webadmin /xampp/phpmyadmin \
         manager/html manager/text manager/status host-manager/html jmx-console web-console/invoker \
         invoker/jmxinvokerservlet invoker/ejbinvokerservlet /jolokia /actuator/env /actuator/heapdump \
         /actuator/gateway* /actuator/jolokia /actuator/loggers /actuator/mappings /actuator/beans /actuator/configprops \
         /actuator/threaddump /actuator/trace solr/admin /console/login/loginform.jsp /console/css* /wls-wsat* /_async/asyncresponseservice* \
          /jenkins/script /druid/indexer* /nacos/v1* /xxl-job-admin /zabbix/jsrpc.php \
         /administrator/db* /administrator/manifests* /administrator/components* /admin/config.php /admin/fckeditor* /admin/ckeditor* \
         /fckeditor /ckfinder /kcfinder /filemanager/dialog.php /admin/controller* /crx/de* /crx/packmgr* /system/console \
         /bin/querybuilder* /etc.clientlibs/foundation* /setup/setupadministrator.action /server-info.action \
         /json/setup-restore* /owa/auth/x.js /owa/auth/logon.aspx /ecp/current/exporttool* /autodiscover/autodiscover.json* \
         /mapi/nspi* /vpn/index.html /+cscoe+* /+cscot+* /dana-na* /dana-admin* /dana-cached* /remote/fgt_lang* \
         /remote/login /remote/logincheck /remote/info /global-protect* /sslmgr /sslvpn* /vpns/portal* /vpns/cfg* \
         /tmui /mgmt/tm* /mgmt/shared* /ui/vropspluginui* /sdk/vimservice* /analytics/telemetry* /websso/saml2* \
         /webui/logoutconfirm* /level/15/exec* /core/skin/login.aspx /geoserver/web* /geoserver/ows* /wp-content/mysql.sql \
         /portal/redlion /mifs /aspnet_client/system_web* /_vti_bin* /_vti_pvt* /_layouts/15/toolpane.aspx \
         /helpdesk/webobjects* /a2billing* /vtigercrm*  ",
    ),
    // Secrets.
    (
        Credential,
        Strong,
        ".env* .git .git-credentials .gitconfig .gitlab-ci.yml .gitmodules .svn .hg .bzr .cvs .aws .ssh .azure .kube .docker \
         .dockercfg .dockerenv .npmrc .yarnrc .pypirc .netrc .pgpass .my.cnf .mysql_history .bash_history .sh_history \
         .zsh_history .psql_history .rediscli_history .python_history .history .bashrc .bash_profile .profile .zshrc \
         .htpasswd* .htaccess* .htdigest .passwd .pwd .rhosts .vscode .idea .ftpconfig .ftppass .sftp-config.json \
         .remote-sync.json .s3cfg .boto .terraform .terraformrc .vault-token .travis.yml .circleci .ds_store .config.php* \
         .wp-config* .local .anydesk .mozilla .config .cargo .gnupg .subversion .vimrc .viminfo \
         wp-config.php* wp-config.* wp-config-sample.php* wp-config.txt wp-config~ config.php.* configuration.php.* \
         settings.php.* localsettings.php.* database.yml secrets.yml credentials.json credentials.yml secrets.json \
         service-account.json serviceaccountkey.json firebase-adminsdk* google-services.json aws.yml aws-credentials \
         aws.json aws_keys.json s3.json parameters.yml app/config/parameters.yml sftp-config.json sftp.json ftpsync.settings \
         id_rsa id_rsa.* id_dsa id_dsa.* id_ecdsa id_ecdsa.* id_ed25519 id_ed25519.* authorized_keys privatekey.key private.key server.key \
         application.properties application.yml application-prod.yml appsettings.json appsettings.production.json \
         web.config local.settings.json terraform.tfstate* terraform.tfvars docker-compose.yml docker-compose.yaml \
         phpinfo.php* /phpinfo php_info.php _profiler/phpinfo /debug/default/view* /config/databases.yml \
          /storage/logs/laravel.log laravel.log debug.log /error_log /wp-content/debug.log \
         composer/installed.json /proc/self* /etc/passwd* /etc/shadow* /etc/hosts /etc/group /etc/nginx* /etc/ssl* \
         /root/.* /home/.* getphpinfo.php web-inf meta-inf/maven* /latest/meta-data* /metadata/instance* /computemetadata",
    ),
    (
        Credential,
        Weak,
        "/config.json /config.js /config.yml /config.yaml /config.php /config.xml /config.ini /configuration.php /settings.json /settings.php \
         /composer.json /composer.lock /package.json /package-lock.json /yarn.lock /dockerfile /jenkinsfile /gemfile \
         /requirements.txt /makefile /readme.md /changelog.txt /license.txt /readme.html   /trace.axd \
         /elmah.axd    /passwords.txt /password.txt /users.txt",
    ),
    // Copies.
    (
        Backup,
        Strong,
        "/backup.sql* /dump.sql* /database.sql* /db.sql* /mysql.sql* /site.sql* /data.sql* /users.sql* /wp.sql* \
         /wordpress.sql* /localhost.sql* /bak.sql* /backups.sql* /wp-content/uploads/dump.sql \
         /wp-content/backup-db* /wp-content/backups-dup-lite* /wp-content/updraft* /wp-content/ai1wm-backups* \
         /wp-snapshots* /administrator/backups* /sites/all/modules/backup* /wp-content/uploads/backupbuddy*",
    ),
    // Holes of products, and tools by their greeting.
    (
        Exploit,
        Strong,
        "vendor/phpunit* phpunit/src* phpunit/phpunit* phpunit/util* lib/phpunit* eval-stdin.php vendor/htmlawed* \
         htmlawedtest.php _ignition/execute-solution _ignition/health-check /boaform* /gponform* /hnap1 /goform* \
         /cgi-bin/luci* /cgi-bin/nas_sharing.cgi /cgi-bin/jarrewrite.sh /cgi-bin/test-cgi /cgi-bin/php* /cgi-bin/printenv* \
         /cgi-bin/authlogin.cgi /cgi-bin/kerbynet /cgi-bin/videoconfiguration.cgi /cgi-bin/supervisor* /cgi-bin/viewlog.asp \
         /cgi-bin/mainfunction.cgi /cgi-bin/config.exp /cgi-bin/.. /cgi-bin/bash /cgi-bin/sh /cgi-bin/status \
         /cgi/networkdiag.cgi /cgi-mod/view_help.cgi setup.cgi /apply.cgi /apply_sec.cgi /tmunblock.cgi /tmblock.cgi \
         /ping.cgi /diag.php /diagnostic.php /device.rsp /shell.php /cmd.php /c99.php /r57.php /wso.php /b374k.php /alfa.php \
         /alfacgiapi* /alfanew* /alfashell* /mini.php /marijuana.php /gel4y* /x.php /xx.php /1.php /up.php /upload.php.suspected \
         /0x.php /fox.php /wp-22.php /wp-l0gin.php /wp-2019.php /chosen.php /shell20* /indoxploit* /wp-conflg.php \
         /wp-includes/wlwmanifest.xml /wp-includes/css/wp-config.php /wp-admin/setup-config.php /wp-admin/install.php \
         /wp-content/plugins/wp-file-manager* wp-content/plugins/hellopress* wp-content/plugins/core-plugin* \
         wp-content/plugins/fix* wp-content/plugins/wpstorecart* wp-content/plugins/revslider/temp* \
         wp-content/plugins/dzs-zoomsounds* wp-content/plugins/formcraft* wp-content/plugins/apikey* \
         wp-content/themes/seotheme* /wp-content/uploads/elementor* w00tw00t* muieblackcat* nmaplowercheck* nice%20ports* \
         nice+ports* trinity.txt.bak sdk/webpro* /evox/about /.trash* /portal/info.jsp     \
         /jbossws /struts/webconsole.html* /struts2-showcase* /orders.xhtml /public/index.php/think* /index.php/think* think_app \
         invokefunction /ueditor/net/controller.ashx /telerik.web.ui.webresource.axd telerik.web.ui.webresource.axd \
         telerik.web.ui.dialoghandler.aspx /desktopmodules/telerik* service/extension/backup/mboximport \
         /zimbraadmin/public* /service/proxy* /remote_agent.php /cacti/remote_agent.php /catalog-portal/ui/oauth/verify* \
         /ispirit/interface* /general/login_code.php /seeyon/htmlofficeservlet* /weaver/bsh.servlet* /mobile/browser/wfgetlanguage* /yyoa* /servlet/~ic* \
         /nacos/v1/auth* /oauth/authorize/%24* /functionrouter   /containers/json \
         /images/json /solr/admin/cores /solr/admin/info/system /ws/v1/cluster* /pools/default/buckets /_search/scroll \
         /_plugin/head   /cluster/cluster /ajax-api/2.0/mlflow* /api/2.0/mlflow* \
         /php/ztp_gate.php* /php/utils/createremoteappwebsession.php* /index.php/.js.map /unauth /ssl-vpn/hipreport.esp \
         /api/sonicos* /rest-api/json* /webtools/control*   /hp/device* /sitecore/shell* /umbraco/rest* \
         /ssi/execcmd* /graphiql/..* /jsp/admin* /reportserver/pages/reportviewer.aspx.* /lms/db.*  \
         /language/swedish* /login.cgi /bin/zhttpd* /sys_man_file* /picsdesc.xml /wanipcn.xml /ctrlt/deviceupgrade_1 \
         /ud/act /web_shell_cmd.gch /currentsetting.htm /backupmgt* /editblackandwhitelist /onvif/device_service \
         /isapi/security* /sdk/weblanguage /nmc/rest* /nuuo* /__debugging_center_utils___.php /upgrade_handle.php",
    ),
    (
        Exploit,
        Weak,
        "/xmlrpc /actuator   /streaming/clients_live.php \
         /player_api.php /panel_api.php /c/version.js /system_api.php /magmi /rss/order/new \
         /api/jsonws*     /lib/composer.json /ab2g /ab2h /aaa9 \
         /aab8 /aab9 /t4 /bag2 /owncloud/apps/graphapi* /apps/graphapi* /wp-plain.php /about/function.php",
    ),
];

/// Hidden names that sites use in the open.
pub(crate) const BENIGN_HIDDEN: [&str; 6] = ["well-known", "netlify", "auth", "rum", "ghost", "nojekyll"];

/// Extensions of copies, dumps and keys: what they hold, and how sure that is in the root and deeper.
pub(crate) const FILE_RULES: [(ProbeKind, ProbeStrength, ProbeStrength, &[&str]); 3] = [
    (
        Backup,
        Strong,
        Weak,
        &["sql", "bak", "old", "orig", "save", "backup", "dump", "mdb", "sqlite", "sqlite3", "bkp"],
    ),
    (Backup, Strong, Strong, &["swp", "swo", "swn"]),
    (
        Credential,
        Strong,
        Strong,
        &["env", "pem", "ppk", "pfx", "p12", "kdbx", "ovpn", "htpasswd", "jks", "keystore"],
    ),
];

/// Archives, which are probes when they are named as a whole site or its database.
pub(crate) const ARCHIVE_EXTENSIONS: [&str; 9] = ["zip", "tar", "gz", "tgz", "rar", "7z", "bz2", "xz", "war"];

/// How scanners name archives of whole sites.
pub(crate) const ARCHIVE_STEMS: [&str; 30] = [
    "backup",
    "backups",
    "bak",
    "www",
    "wwwroot",
    "web",
    "website",
    "site",
    "htdocs",
    "public_html",
    "html",
    "httpdocs",
    "db",
    "database",
    "dump",
    "sql",
    "mysql",
    "data",
    "old",
    "wordpress",
    "wp",
    "wp-content",
    "joomla",
    "admin",
    "archive",
    "full",
    "home",
    "root",
    "webroot",
    "src",
];

/// Payloads, searched in paths and queries after decoding, without regard to case.
pub(crate) const PAYLOADS: [(ProbeKind, ProbeStrength, &[&str]); 3] = [
    (
        Exploit,
        Strong,
        &[
            // Leaving the directory, and files that it is done for.
            "../",
            "..\\",
            "..;/",
            "/..;",
            "\u{0}.",
            "/etc/passwd",
            "/etc/shadow",
            "/proc/self/",
            "/proc/version",
            "win.ini",
            "boot.ini",
            "file:///",
            "php://",
            "expect://",
            "phar://",
            "gopher://",
            "data://text",
            "data:text/plain;base64",
            ".ssh/",
            "169.254.169.254",
            // Lookups and expressions of Java and templates.
            "${jndi:",
            "${lower:",
            "${upper:",
            "${env:",
            "${sys:",
            "${::-",
            "${java",
            "${(",
            "${#",
            "%{(",
            "%{#",
            "#_memberaccess",
            "getruntime(",
            "freemarker.template",
            "class.module.classloader",
            "class.classloader",
            "processbuilder",
            "{{7*7}}",
            "${7*7}",
            "__globals__",
            // SQL.
            "union select/",
            "union select(",
            "union all select",
            "union/**/",
            "union distinct select",
            "union select 1",
            "union select null",
            "union select char",
            "union select concat",
            "union select @",
            "union select 0x",
            "union select user",
            "union select version",
            "powershell -",
            "powershell.exe",
            "/bin/busybox",
            "alert(1",
            "alert('",
            "alert(\"",
            "alert(document",
            "(document.cookie",
            "call_user_func_array&vars",
            "' or ''='",
            "${dns",
            "${url",
            "${script",
            "$(echo",
            "$(curl",
            "$(wget",
            "$(id",
            "$(cat",
            "${ifs}",
            "c:/win",
            "c:\\win",
            "' or '1",
            "' or 1=1",
            "'or'1'='1",
            " or 1=1",
            " and 1=1",
            "' and sleep",
            "waitfor delay",
            "into outfile",
            "into dumpfile",
            "@@version",
            "dbms_pipe",
            "utl_http",
            "select char",
            "selectchar(",
            "unhex(hex(",
            "';--",
            "' --",
            // Markup and script.
            "<script",
            "</script",
            "<svg",
            "<iframe",
            "vbscript:",
            "fromcharcode(",
            // Commands.
            ";wget",
            "; wget",
            "|wget",
            "`wget",
            ";curl",
            "cd /tmp",
            "chmod 777",
            "|whoami",
            ";id;",
            "|id|",
            "/dev/tcp",
            // PHP and others.
            "<?=",
            "invokefunction",
            "\\think\\",
            "think\\app",
            "auto_prepend_file",
            "print(md5",
            "die(md5",
            "die(@md5",
            "xdebug_session_start",
            "eval-stdin",
            "set-cookie:",
            "\r\nlocation:",
        ],
    ),
    (
        Exploit,
        Weak,
        &[
            "/etc/hosts",
            "/etc/group",
            "system32",
            "' or '",
            "' and '",
            "\" or \"",
            "information_schema",
            "java.lang.",
            "org.apache.commons",
            "javascript:",
            "onerror=",
            "onload=",
            "onfocus=",
            "onmouseover=",
            "document.cookie",
            "/bin/sh",
            "/bin/bash",
            "cmd.exe",
            "wget http",
            "curl http",
            "base64_decode(",
            "shell_exec(",
            "passthru(",
            "phpinfo(",
            "system(",
            "call_user_func",
            "benchmark(",
            "pg_sleep(",
            "load_file(",
            "extractvalue(",
            "updatexml(",
            "group_concat(",
            "null,null",
            "web-inf/",
            "wp-config.php",
            "__class__",
            "union select ",
            "allow_url_include",
            "disable_functions",
            "alert(",
            "<?php",
            "sysobjects",
            "nslookup ",
            "string.fromcharcode",
            "xp_cmdshell",
            "sqlmap",
            "substr(",
            "substring(",
            "varchar(",
            "char(",
            "concat(",
            "sleep(",
            "select * from",
            "select(",
            "order by 1",
            "prompt(",
            "confirm(",
            "eval(",
            "expression(",
            "exec(",
            "assert(",
            "md5(",
            "whoami",
            "cat /",
            "{{",
            "<%=",
            "=/etc/",
            "c:/",
            "c:\\",
            "phpinfo",
            "cmd=",
            "-1 union",
        ],
    ),
    (Admin, Weak, &["rest_route=/wp/v2/users"]),
];
