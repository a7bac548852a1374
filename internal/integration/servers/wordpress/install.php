<?php
// Installs the site in the working folder, with an editor beside its
// administrator, and prints an application password of the editor's.
define('WP_INSTALLING', true);
$_SERVER['HTTP_HOST'] = parse_url(getenv('SITE_URL'), PHP_URL_HOST) . ':' . parse_url(getenv('SITE_URL'), PHP_URL_PORT);
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
ob_start();
require getcwd() . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
add_filter('pre_wp_mail', '__return_true');
wp_install('Postroom', 'admin', 'admin@postroom.test', true, '', getenv('SITE_PASSWORD'));
update_option('permalink_structure', '/%postname%/');
$editor = wp_insert_user(['user_login' => 'editor', 'user_pass' => getenv('SITE_PASSWORD'), 'user_email' => 'editor@postroom.test', 'role' => 'editor']);
[$password] = WP_Application_Passwords::create_new_application_password($editor, ['name' => 'postroom']);
ob_end_clean();
echo $password;
